//! The hosts that play instances: switched on, shown their volumes, switched off and removed as the emulator says.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::instance::{Instance, Power, World};
use super::volumes::Volumes;
use super::watcher::Shared;
use crate::error::AboutFile;
use crate::record::{HostRecord, InstanceRecord, PREFIX, Record};
use crate::{Host, LabError, keys};

/// So often a host may be shown a volume in vain before that is a problem: it is about to boot, and takes a while.
const SHOW_LIMIT: u32 = 100;

/// All hosts of a cloud.
#[derive(Debug)]
pub(super) struct Machines {
    record: Record,
    volumes: Volumes,
    by_instance: BTreeMap<String, Machine>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Machine {
    host: Host,
    /// Whether it was switched on last, or off. It may have gone off by itself.
    is_on: bool,
    /// The number of each of its volumes.
    volumes: BTreeMap<String, u8>,
    /// So often it was shown a volume in vain.
    failures: u32,
    /// Why it could not be switched on. It is tried once.
    failed: Option<String>,
}

impl Machines {
    pub(super) fn new(record: Record, shared: Arc<Shared>) -> Self {
        Self {
            volumes: Volumes::new(record.folder.join("volumes")),
            record,
            by_instance: BTreeMap::new(),
            shared,
        }
    }

    /// Has the hosts follow their instances. What goes, goes first: its address and its volumes are free then.
    pub(super) fn follow(&mut self, world: &World) -> Result<(), LabError> {
        let with = |power: Power| world.instances.iter().filter(move |one| one.power() == power);
        self.tell_others(world);
        self.remove_all_but(world)?;
        for instance in with(Power::Off) {
            let ended = self.switch_off(&instance.id);
            self.note(&instance.id, ended);
        }
        for instance in with(Power::On).chain(with(Power::Off)) {
            let taken = self.take_volumes(instance);
            self.note(&instance.id, taken);
        }
        self.volumes.keep_only(&world.volumes)?;
        for instance in with(Power::On) {
            let begun = self.switch_on(instance);
            self.note(&instance.id, begun);
        }
        Ok(())
    }

    /// Before a host boots, which asks at once.
    fn tell_others(&self, world: &World) {
        let mut known = self.shared.lock();
        known.credentials.clear();
        known.instances.clear();
        for instance in &world.instances {
            if instance.power() == Power::Gone {
                continue;
            }
            if let Some(credentials) = &instance.credentials {
                known.credentials.insert(instance.id.clone(), credentials.clone());
            }
            if let Some(address) = instance.private_address {
                known.instances.insert(address, Arc::new(instance.clone()));
            }
        }
    }

    /// A problem stays until the instance does well.
    fn note(&self, instance: &str, done: Result<(), LabError>) {
        let mut known = self.shared.lock();
        match done {
            Ok(()) => known.problems.remove(instance),
            Err(error) => known.problems.insert(instance.to_owned(), error.to_string()),
        };
    }

    fn remove_all_but(&mut self, world: &World) -> Result<(), LabError> {
        let stays = |id: &String| {
            let mut instances = world.instances.iter();
            instances.any(|one| one.id == *id && one.power() != Power::Gone)
        };
        let gone: Vec<_> = self.by_instance.keys().filter(|id| !stays(id)).cloned().collect();
        self.shared.lock().problems.retain(|id, _| stays(id));
        gone.iter().try_for_each(|id| self.remove(id))
    }

    fn remove(&mut self, id: &str) -> Result<(), LabError> {
        self.switch_off(id)?;
        let machine = self.by_instance.get(id);
        let volumes: Vec<_> = machine
            .iter()
            .flat_map(|one| one.volumes.keys().cloned())
            .collect();
        for volume in &volumes {
            self.volumes.detach(volume)?;
        }
        self.by_instance.remove(id);
        self.shared.lock().hosts.remove(id);
        self.record.hosts.retain(|host| host.name != id);
        self.record.save()?;
        keys::write_known_hosts(&self.record)?;
        for folder in [self.record.path("hosts").join(id), self.record.folder.join(id)] {
            fs::remove_dir_all(&folder).about("failed to remove", &folder)?;
        }
        Ok(())
    }

    fn switch_off(&mut self, id: &str) -> Result<(), LabError> {
        let Some(machine) = self.by_instance.get_mut(id).filter(|machine| machine.is_on) else {
            return Ok(());
        };
        machine.host.power_cut()?;
        machine.is_on = false;
        Ok(())
    }

    fn switch_on(&mut self, instance: &Instance) -> Result<(), LabError> {
        if !self.by_instance.contains_key(&instance.id) {
            let host = self.make_host(instance)?;
            let machine = Machine {
                host: host.clone(),
                is_on: false,
                volumes: BTreeMap::new(),
                failures: 0,
                failed: None,
            };
            self.by_instance.insert(instance.id.clone(), machine);
            self.shared.lock().hosts.insert(instance.id.clone(), host);
        }
        self.give_volumes(instance)?;
        let Some(machine) = self.by_instance.get_mut(&instance.id) else {
            return Ok(());
        };
        if !machine.is_on {
            machine.is_on = true;
            machine.failed = machine.host.start().err().map(|error| error.to_string());
        }
        let failed = machine.failed.as_ref();
        failed.map_or(Ok(()), |why| {
            Err(LabError::refused(
                why,
                "stop and start the instance to try it once more",
            ))
        })
    }

    fn make_host(&mut self, instance: &Instance) -> Result<Host, LabError> {
        let address = self.check_address(instance)?;
        let mac = instance.mac.clone().unwrap_or_default();
        let hostname = format!("ip-{}", address.to_string().replace('.', "-"));
        let host = HostRecord::of_instance(&instance.id, hostname, address, InstanceRecord { mac });
        let mut record = self.record.clone();
        record.hosts.push(host);
        let index = record.hosts.len() - 1;
        let host = Host::new(Arc::new(record.clone()), index);
        host.prepare()?;
        record.save()?;
        keys::write_known_hosts(&record)?;
        self.record = record;
        Ok(host)
    }

    fn check_address(&self, instance: &Instance) -> Result<Ipv4Addr, LabError> {
        let network = self.record.network();
        let gateway = self.record.gateway();
        let fits = |address: &Ipv4Addr| {
            let host_bits = 32 - u32::from(PREFIX);
            let network = |address: &Ipv4Addr| address.to_bits() >> host_bits;
            let number = address.to_bits() & ((1 << host_bits) - 1);
            let is_special = number == 0 || number == (1 << host_bits) - 1;
            network(address) == network(&gateway) && !is_special && *address != gateway
        };
        let Some(address) = instance.private_address.filter(fits) else {
            let address = instance.private_address.map(|address| address.to_string());
            return Err(LabError::refused(
                format!(
                    "its address {} is none that a host can have",
                    address.unwrap_or_default()
                ),
                format!("start it in a VPC of the range {network}"),
            ));
        };
        if let Some(other) = self.record.hosts.iter().find(|host| host.address == address) {
            return Err(LabError::refused(
                format!("instance {} has the address {address} too", other.name),
                "there may be one VPC of this range",
            ));
        }
        Ok(address)
    }

    /// Takes away the volumes that an instance has no longer.
    fn take_volumes(&mut self, instance: &Instance) -> Result<(), LabError> {
        let Some(machine) = self.by_instance.get_mut(&instance.id) else {
            return Ok(());
        };
        let stays = |id: &String| instance.volumes.iter().any(|volume| volume.id == *id);
        let gone = machine.volumes.iter().filter(|(id, _)| !stays(id));
        let gone: Vec<_> = gone.map(|(id, number)| (id.clone(), *number)).collect();
        for (id, number) in gone {
            if machine.host.is_on() {
                machine.host.show_volume(&[&number.to_string(), &id])?;
            }
            machine.volumes.remove(&id);
            self.volumes.detach(&id)?;
            write_volumes(&self.record, machine, &mut self.volumes, instance)?;
        }
        Ok(())
    }

    /// Gives an instance the volumes that it has and its host has not: at once, or when that boots.
    fn give_volumes(&mut self, instance: &Instance) -> Result<(), LabError> {
        let Some(machine) = self.by_instance.get_mut(&instance.id) else {
            return Ok(());
        };
        for volume in &instance.volumes {
            if machine.volumes.contains_key(&volume.id) {
                continue;
            }
            let numbers = self.volumes.attach(&volume.id, volume.gibibytes)?;
            let Some(number) =
                (1..=u8::MAX).find(|number| !machine.volumes.values().any(|one| one == number))
            else {
                continue;
            };
            if machine.host.is_on() {
                let shown = machine
                    .host
                    .show_volume(&[&number.to_string(), &volume.id, &numbers]);
                if let Err(error) = shown {
                    machine.failures += 1;
                    let is_late = machine.failures >= SHOW_LIMIT;
                    return if is_late { Err(error) } else { Ok(()) };
                }
                machine.failures = 0;
            }
            machine.volumes.insert(volume.id.clone(), number);
            write_volumes(&self.record, machine, &mut self.volumes, instance)?;
        }
        Ok(())
    }
}

/// What the host is shown when it boots the next time.
fn write_volumes(
    record: &Record,
    machine: &Machine,
    volumes: &mut Volumes,
    instance: &Instance,
) -> Result<(), LabError> {
    let mut lines = Vec::new();
    for volume in &instance.volumes {
        if let Some(number) = machine.volumes.get(&volume.id) {
            let numbers = volumes.attach(&volume.id, volume.gibibytes)?;
            lines.push(format!("{number} {} {numbers}\n", volume.id));
        }
    }
    record.write(&format!("hosts/{}/volumes", instance.id), &lines.concat())
}
