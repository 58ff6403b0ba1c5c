//! Requests, and what becomes of each.

use super::*;

/// A request by its name, and what becomes of it.
pub(super) type Case = (&'static str, Request, Fate);

/// What machines ask for that join, by who asks.
pub(super) fn who_joins() -> Vec<Case> {
    let decided = |conditions| joining().with(|r| r.conditions = conditions);
    let by = |user: &str, groups| joining().with(|r| (r.user, r.groups) = (user.to_owned(), groups));
    let to = |signer| joining().with(|r| r.signer = signer);
    let other_token = "system%3Abootstrappers%3Akeelson%3Anodes ";
    let node = format!("system%3Anode%3A{NEW}");
    let no_token = Refused("who asks holds no bootstrap token: ann");
    vec![
        ("good", joining(), Approved),
        ("later", joining().with(|r| r.event = "MODIFIED"), Approved),
        ("gone", joining().with(|r| r.event = "DELETED"), NoBusiness),
        ("denied", decided("Denied "), NoBusiness),
        ("approved", decided("Approved "), NoBusiness),
        ("signer", to("kubernetes.io%2Fkube-apiserver-client"), NoBusiness),
        ("worker", by(TOKEN_USER, other_token), NoBusiness),
        ("renewal", by(&node, NODE_GROUPS), NoBusiness),
        ("no-token", by("ann", TOKEN_GROUPS), no_token),
    ]
}

/// The same by what for.
pub(super) fn what_joins() -> Vec<Case> {
    let used = |usages| joining().with(|r| r.usages = usages);
    let server = Refused("it asks for another usage than a kubelet's: server+auth");
    let lacks = Refused("it lacks a usage");
    let rsa = pem(&of_node(NEW, Vec::new()), &RSA);
    let rsa = joining().with(|r| (r.usages, r.pem) = (CLIENT[1], rsa));
    let named = joining().of(&of_node(NEW, vec![dns(NEW)]));
    let taken = joining().of(&of_node(THERE, Vec::new()));
    vec![
        ("rsa", rsa, Approved),
        ("server", used(SERVER[0]), server),
        ("both", used("digital+signature client+auth server+auth "), server),
        ("no-signature", used("client+auth "), lacks),
        ("no-usage", used(""), lacks),
        ("named", named, Refused("a client's certificate is for no names")),
        (
            "taken",
            taken,
            Refused("the Node i-0123456789abcdef0 is there already"),
        ),
    ]
}

/// The same by whom to be.
pub(super) fn whom_to_join_as() -> Vec<Case> {
    let organization = || (DnType::OrganizationName, text("system:nodes"));
    let masters = |kind| (kind, text("system:masters"));
    let common_name = |name: &str| (DnType::CommonName, text(name));
    let node = || common_name("system:node:i-0abc1234def567890");
    let of = |subject: &[(DnType, DnValue)]| joining().of(&params(subject, Vec::new()));
    let named = |name: &str| of(&[organization(), common_name(name)]);
    let other = Refused("its organisation is not system:nodes");
    let no_machine = Refused("its common name is no machine's: ");
    let second = [
        organization(),
        masters(DnType::CustomDnType(vec![2, 5, 4, 10])),
        node(),
    ];
    let country = [organization(), node(), (DnType::CountryName, text("XX"))];
    let two_lines = Refused("a name in its PKCS#10 holds a character");
    vec![
        ("short", named("system:node:i-0abc1234"), Approved),
        ("host", named("system:node:control-plane-9"), no_machine),
        ("too-long", named("system:node:i-0123456789abcdef01"), no_machine),
        ("too-short", named("system:node:i-0123456"), no_machine),
        ("capitals", named("system:node:i-0ABC1234"), no_machine),
        ("twice", named("system:node:system:node:i-0abc1234"), no_machine),
        ("no-node", named("i-0abc1234"), no_machine),
        ("admin", named("kubernetes-admin"), no_machine),
        ("two-lines", named("system:node:i-0abc1234\nx"), two_lines),
        ("masters", of(&[masters(DnType::OrganizationName), node()]), other),
        ("no-organization", of(&[node()]), other),
        ("no-name", of(&[organization()]), no_machine),
        (
            "second",
            of(&second),
            Refused("its subject has more than one organisation"),
        ),
        ("country", of(&country), Refused("its subject holds more")),
    ]
}

/// What nodes ask for to serve with, by who asks.
pub(super) fn who_serves() -> Vec<Case> {
    let by = |user: &str| serving().with(|r| r.user = user.to_owned());
    let rsa = pem(&of_node(THERE, names()), &RSA);
    let rsa = serving().with(|r| (r.usages, r.pem) = (SERVER[1], rsa));
    let decided = serving().with(|r| r.conditions = "Approved ");
    let another = serving().of(&of_node("i-0fedcba9876543210", names()));
    let early = by(&format!("system%3Anode%3A{NEW}")).of(&of_node(NEW, names()));
    let client = serving().with(|r| r.usages = CLIENT[0]);
    let outside = serving().with(|r| r.groups = "system%3Aauthenticated ");
    let no_member = Refused("who asks is not in the group system:nodes");
    let no_machine = Refused("who asks is no machine of a group");
    vec![
        ("good", serving(), Approved),
        ("rsa", rsa, Approved),
        ("decided", decided, NoBusiness),
        ("another", another, Refused("its common name is not who asks")),
        (
            "early",
            early,
            Refused("there is no Node i-0abc1234def567890 yet"),
        ),
        ("client", client, Refused("it asks for another usage")),
        ("outside", outside, no_member),
        ("user", by("ann%7Cx"), Refused("who asks is no node: ann%7Cx")),
        ("host", by("system%3Anode%3Acontrol-plane-1"), no_machine),
    ]
}

/// The same by which names.
pub(super) fn what_serves() -> Vec<Case> {
    let with = |names: Vec<SanType>| serving().of(&of_node(THERE, names));
    let and = |name: SanType| with(names().into_iter().chain([name]).collect());
    let uri = SanType::URI("spiffe://a".try_into().unwrap());
    let email = SanType::Rfc822Name("a@example.com".try_into().unwrap());
    let kind = Refused("it asks for a name that is neither a DNS name nor an IP address");
    let foreign = Refused("it asks for 10.96.0.1, which is not of the Node");
    let of_another = Refused("it asks for 10.0.1.6, which is of the Node i-0fedcba9876543210");
    let long = Refused("it asks for 2001:db8:0:0:0:0:0:6, which is of the Node");
    let unknown = Refused("it asks for kubernetes.default.svc, which is not of the Node");
    let control_plane = Refused("it asks for control-plane-1, which is of the Node");
    // A node writes its addresses itself.
    let api = Refused("it asks for api.example.com, which is no name of a machine");
    let clouds = dns("ip-10-0-1-5.eu-west-1.compute.internal");
    vec![
        ("address", with(vec![ip("10.0.1.5")]), Approved),
        ("clouds-name", and(clouds), Approved),
        (
            "no-names",
            with(Vec::new()),
            Refused("a server's certificate is for names"),
        ),
        ("uri", and(uri), kind),
        ("email", and(email), kind),
        ("foreign", and(ip("10.96.0.1")), foreign),
        (
            "mapped",
            and(ip("::ffff:10.0.1.5")),
            Refused("it asks for 0:0:0:0:0:ffff:a00:105, which is not"),
        ),
        ("anothers", and(ip("10.0.1.6")), of_another),
        ("anothers-long", and(ip("2001:db8::6")), long),
        ("control-plane", and(dns("control-plane-1")), control_plane),
        ("unknown", and(dns("kubernetes.default.svc")), unknown),
        ("api", and(dns("api.example.com")), api),
    ]
}

/// Bytes that are no request of a kubelet's.
pub(super) fn damaged() -> Vec<Case> {
    let good = der(&of_node(NEW, Vec::new()));
    // Its length is written in a byte of its own, or in two.
    let head = if good[1] == 0x82 { 4 } else { 3 };
    let length = u16::try_from(good.len() - head).unwrap().to_be_bytes();
    let behind_head = &good[head..];
    let of = |parts: &[&[u8]]| joining().of_der(&parts.concat());
    let pem = armoured(&good);
    let with = |text: String| joining().with(|r| r.pem = text);
    let no_pem = Refused("it is no PEM");
    let no_base64 = Refused("it is no base64");
    let more = Refused("its PKCS#10 holds more");
    let no_length = Refused("its PKCS#10 has a length that is none");
    let no_sequence = Refused("its PKCS#10 holds what no kubelet's does, at byte 1");
    vec![
        ("behind", of(&[&good, &[0]]), more),
        ("twice", of(&[&good, &good]), more),
        (
            "indefinite",
            of(&[&[0x30, 0x80], behind_head, &[0, 0]]),
            no_length,
        ),
        ("padded", of(&[&[0x30, 0x83, 0], &length, behind_head]), no_length),
        ("no-sequence", of(&[&[0x31], &good[1..]]), no_sequence),
        ("empty", of(&[]), no_base64),
        ("certificate", with(pem.replace(" REQUEST", "")), no_pem),
        ("two-blocks", with(format!("{pem}{pem}")), no_base64),
        ("words-before", with(format!("a\n{pem}")), no_pem),
        ("words-behind", with(format!("{pem}a\n")), no_pem),
        ("a-nul", with(pem.replacen('\n', "\0\n", 1)), no_pem),
        ("a-header", with(pem.replacen('\n', "\nA: b\n\n", 1)), no_base64),
        ("nothing", with(String::new()), no_base64),
    ]
}
