//! What the commands do.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use keelson_test_hosts::{
    Cloud, CloudOptions, Host, Lab, LabError, LabOptions, SPEC_OF_HOSTS, assets, clean, kubernetes_assets,
    moto, root_filesystem, serve_directory, serve_registry,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Cable, Command, Up};

/// Nobody needs it for longer.
const SERVE_LIMIT: Duration = Duration::from_secs(12 * 60 * 60);

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, LabError> {
    let lab = arguments.lab.as_deref();
    match arguments.command {
        Command::Up(options) => up(options)?,
        Command::List => list(lab)?,
        Command::Ssh { host, user, command } => return ssh(&find_host(lab, &host)?, &user, &command),
        Command::Kill(host) => find_host(lab, &host.host)?.power_cut()?,
        Command::Start(host) => {
            let host = find_host(lab, &host.host)?;
            host.start()?;
            host.wait_for_ssh()?;
        }
        Command::Reboot(host) => find_host(lab, &host.host)?.reboot()?,
        Command::Off(host) => find_host(lab, &host.host)?.shut_down()?,
        Command::Cut(cable) => match others(lab, &cable)? {
            (host, None) => host.cut_network()?,
            (host, Some(other)) => host.cut_from(&other)?,
        },
        Command::Heal(cable) => match others(lab, &cable)? {
            (host, None) => host.heal_network()?,
            (host, Some(other)) => host.heal_from(&other)?,
        },
        Command::Fill(host) => find_host(lab, &host.host)?.fill_disk()?,
        Command::Free(host) => find_host(lab, &host.host)?.free_disk()?,
        Command::RenewKeys(host) => find_host(lab, &host.host)?.renew_host_keys()?,
        Command::Down { name } => find_lab(name.as_deref().or(lab))?.down()?,
        Command::Clean => {
            for removed in clean()? {
                println!("removed {removed}");
            }
        }
        Command::Assets => {
            let assets = assets()?;
            eprintln!("etcd {}", assets.etcd_versions.join(", "));
            println!("{}", assets.folder.display());
        }
        Command::Moto => println!("{}", moto()?.display()),
        Command::Cloud { name, lifetime } => cloud(name, lifetime)?,
        Command::Serve => serve(&find_lab(lab)?)?,
        Command::Rootfs => println!("{}", root_filesystem()?.display()),
    }
    Ok(ExitCode::SUCCESS)
}

fn up(up: Up) -> Result<(), LabError> {
    let mut options = LabOptions::with_hosts(up.count);
    options.name = up.name;
    options.detached = up.detach;
    options.lifetime = Duration::from_secs(up.lifetime.saturating_mul(60));
    for host in &mut options.hosts {
        host.disk_mib = up.disk_mib;
        host.memory_mib = up.memory_mib;
    }
    root_filesystem()?;
    let start = Instant::now();
    let lab = Lab::new(&options)?;
    eprintln!(
        "{} hosts up in {:.1} s",
        lab.hosts().len(),
        start.elapsed().as_secs_f32()
    );
    show(&lab);
    if up.detach {
        eprintln!(
            "It goes with `test-hosts down {}`, or after {} min.",
            lab.name(),
            up.lifetime
        );
        return Ok(());
    }
    eprintln!("Ctrl-C takes it down.");
    wait_for_end(options.lifetime)?;
    lab.down()
}

fn cloud(name: Option<String>, lifetime: u64) -> Result<(), LabError> {
    moto()?;
    let options = CloudOptions {
        name,
        lifetime: Duration::from_secs(lifetime.saturating_mul(60)),
        ..CloudOptions::default()
    };
    let Some(cloud) = Cloud::start_or_skip("test-hosts cloud", &options)? else {
        return Err(LabError::NeedsRoot);
    };
    eprintln!("Make a VPC of {}, with subnets in it:", cloud.network());
    eprintln!("  aws ec2 create-vpc --cidr-block {}", cloud.network());
    eprintln!("Instances are hosts, with their ids for names:");
    eprintln!("  test-hosts --lab {} ssh INSTANCE", cloud.lab().name());
    println!("{}", cloud.url());
    eprintln!("Ctrl-C takes it down.");
    wait_for_end(options.lifetime)?;
    cloud.down()
}

/// What goes to stdout is a part of a spec.
fn serve(lab: &Lab) -> Result<(), LabError> {
    let Some(assets) = kubernetes_assets()? else {
        return Err(LabError::Refused {
            what: "KEELSON_KUBERNETES_ASSETS names no folder".to_owned(),
            hint: "name one that has `versions`, `images` and a mirror of release files".to_owned(),
        });
    };
    let files = serve_directory(&assets.folder, lab.gateway())?;
    let registry = serve_registry(&assets.images, lab.gateway())?;
    eprintln!("Images:\n{}\n", registry.references().join("\n"));
    eprintln!("Versions: {}\n", assets.versions.join(", "));
    eprintln!("Below `spec`, beside the hosts:");
    println!("  kubernetesVersion: {}", assets.versions[0]);
    println!("  etcd: {{ version: {} }}", assets.etcd()?);
    println!(
        "  assets: {{ files: \"{}\", registry: \"{}\", insecureRegistry: true }}",
        files.url(),
        registry.address()
    );
    print!("{SPEC_OF_HOSTS}");
    eprintln!("\nCtrl-C ends it.");
    wait_for_end(SERVE_LIMIT)
}

/// Ctrl-C, or whoever else wants this program to end, or the end of the lab's time.
fn wait_for_end(lifetime: Duration) -> Result<(), LabError> {
    let failed = |source| LabError::File {
        what: "failed to listen for signals on",
        path: "this process".into(),
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = tokio::time::sleep(lifetime) => {}
        }
        Ok(())
    })
}

/// The lab of that name, or all of them.
fn list(name: Option<&str>) -> Result<(), LabError> {
    let labs = match name {
        Some(name) => vec![Lab::open(name)?],
        None => Lab::all()?,
    };
    if labs.is_empty() {
        eprintln!("There is no lab.");
    }
    labs.iter().for_each(show);
    Ok(())
}

fn show(lab: &Lab) {
    println!(
        "lab {}  machine {}  key {}",
        lab.name(),
        lab.gateway(),
        lab.key().display()
    );
    for host in lab.hosts() {
        let state = match (host.is_on(), host.boots()) {
            (false, _) => "off".to_owned(),
            (true, 1) => "on".to_owned(),
            (true, boots) => format!("on, boot {boots}"),
        };
        println!("  {:<12} {:<14} {state}", host.name(), host.address());
    }
}

/// Becomes ssh.
fn ssh(host: &Host, user: &str, command: &[String]) -> Result<ExitCode, LabError> {
    let source = host.ssh_command(user).args(command).exec();
    Err(LabError::File {
        what: "failed to run",
        path: "ssh".into(),
        source,
    })
}

fn others(lab: Option<&str>, cable: &Cable) -> Result<(Host, Option<Host>), LabError> {
    let host = find_host(lab, &cable.host)?;
    let other = cable.from.as_deref().map(|other| find_host(lab, other));
    Ok((host, other.transpose()?))
}

fn find_host(lab: Option<&str>, host: &str) -> Result<Host, LabError> {
    find_lab(lab)?.host(host).cloned()
}

fn find_lab(name: Option<&str>) -> Result<Lab, LabError> {
    if let Some(name) = name {
        return Lab::open(name);
    }
    let mut labs = Lab::all()?;
    match (labs.pop(), labs.len()) {
        (Some(lab), 0) => Ok(lab),
        (None, _) => Err(LabError::Refused {
            what: "there is no lab".to_owned(),
            hint: "make one: test-hosts up 3".to_owned(),
        }),
        (Some(lab), _) => Err(LabError::Refused {
            what: "there are several labs".to_owned(),
            hint: format!(
                "say which, for example --lab {}; test-hosts list shows all",
                lab.name()
            ),
        }),
    }
}
