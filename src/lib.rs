//! keelson builds, changes and retires Kubernetes clusters from one declarative spec.
//!
//! This page is for whoever changes keelson or embeds it: the bird's-eye view, one request followed through the
//! floors, where things are, what must stay true, and where to add things. How to use the program is in `README.md`.
//!
//! # Bird's-eye view
//!
//! **Look, plan, carry out; until the plan is empty.** There is no file that says what exists: what a cluster owns
//! is found by marks of ownership in the world itself, and looked at anew each time. A crash at any moment is
//! answered by running the same command again.
//!
//! ```text
//!  spec (YAML)                          the world
//!      | spec::load                         | execute::observe
//!      v                                    v
//!  ValidSpec -- model --> DesiredState   Observation (present | absent | unknown)
//!                              |            |
//!                              v            v
//!                     plan::plan(cluster, desired, observation, now)
//!                              |            |
//!                              v            v
//!                            Plan       PlanReport (blocked, held back, unchanged)
//!                              |
//!                              v  execute::Execution, under a lease
//!                     Change by Change to the Provider that looks after its kind, and look again
//! ```
//!
//! The planner is pure; the executor makes no choices; the providers know nothing of plans. All three meet in the
//! vocabulary of the crate [`keelson_provider_api`]: keys, kinds, observations, changes.
//!
//! # One request through the floors: `keelson apply -f cluster.yaml`
//!
//! 1. `main` parses the arguments, turns signals into an [`Interrupt`](execute::Interrupt), and runs the command in
//!    [`cli`].
//! 2. `cli::apply` reads the file and has [`spec::load`] make a [`ValidSpec`](spec::ValidSpec) of it: parsed with the
//!    place of every value, checked, completed, validated. Every error is reported in one pass.
//! 3. [`registry::connect`] opens the provider and the state store that the spec names and makes a
//!    [`Session`](ops::Session) of them.
//! 4. [`Session::apply`](ops::Session::apply) takes the [lease](execute::Lease): at most one keelson changes a cluster.
//! 5. [`model::desired_state`] turns the spec into resources by key: a machine, its `node-bundle`, its etcd member…
//! 6. [`execute::observe()`] asks every provider what exists. What could not be looked at is `Unknown`, not absent.
//! 7. [`plan::plan()`] compares the two: a verdict for each resource, the steps that follow from it, the edges between
//!    them. The result is checked: no circle, no edge that points outside.
//! 8. The user sees the plan ([`view::plan_text`]) and says yes.
//! 9. [`execute::Execution`] starts each step the moment everything before it is done. A step that takes something
//!    down first asks [`plan::safety`] for a permit, with a fresh look at the world, before every attempt. How an
//!    attempt ended is one of three: done; rejected, surely without effect; indeterminate, which is answered by
//!    looking again.
//! 10. `apply` looks and plans again. When the plan is empty it is done; the lease is released.
//!
//! What happens on the way are [`Event`](execute::Event)s. Reporters in [`view`] draw them as bars, lines or JSON
//! (`docs/events.md`); the journal writes them down for people, and is never read to decide.
//!
//! # Floors
//!
//! From the top down; a module names only modules below it. `tests/floors/` holds the exact table and fails on an
//! import that leads upward.
//!
//! | floor | does | never |
//! |---|---|---|
//! | `main` | arguments in, exit code out | |
//! | [`cli`] | one file a command: reads arguments and files, calls `ops`, shows the result | |
//! | [`view`] | values and events to text, JSON, pictures | acts |
//! | [`registry`] | names concrete providers and stores | |
//! | [`ops`] | apply, destroy, plan, status, render, certificates…: each reads from top to bottom | |
//! | [`cluster`] | nodes and add-ons of a running cluster, through the Kubernetes API | sees the spec, names a machine's provider |
//! | [`execute`] | lease, dispatcher, steps, observation, events, journal | sees the spec, chooses |
//! | [`model`] | spec to desired resources, one builder a topic | |
//! | [`assets`] | release files: finds their digests upstream, in a mirror or in a folder, and copies them | |
//! | [`addons`] | what runs in every cluster: objects rendered from `templates/addons/`, manifests read | sees the spec, touches a network |
//! | [`node`] | what machines run: bundles rendered from `templates/` | sees the spec |
//! | [`plan`] | the planner, safety, the saved form of a plan | IO, clock, environment, randomness |
//! | [`backup`] | backups of etcd: manifests, packing, the place where they are kept, which of them stay | clock, environment |
//! | [`pki`] | authorities, the table of certificates, issuing, judging, keys in the state store | clock, environment, files |
//! | [`spec`] | types, reading with places, validation, JSON Schema | touches a file |
//! | [`store`] | the state store in a directory | |
//! | `providers/aws` | objects in a bucket of S3: a state store, and a place for backups; who asks there; networks, subnets, ways out, firewalls, roles, volumes, network interfaces, machines, load balancers with their targets and names, and what controllers of the cluster made | sees this crate |
//! | `providers/aws-calls` | the calls to AWS that its provider is made of, behind small types | names a kind, waits |
//! | `providers/api` | the vocabulary | knows an SDK |
//! | `providers/ssh` | bare machines: sessions, facts, claims, bundles, etcd members, control planes, kubelets | sees this crate |
//! | `providers/simulated` | the in-memory world: virtual time, latencies, faults from a seed | sees this crate |
//!
//! `model` stands above `plan` because it builds what the planner takes, [`DesiredState`](plan::DesiredState). The
//! registry stands below `cli`, not beside `main`: `main` only parses arguments, so it is the commands that connect.
//!
//! # What must stay true
//!
//! Mostly absences, which no single line of code shows:
//!
//! - Only `Absent` lets a create be planned; only present *and owned* lets a delete be planned; `Unknown` blocks.
//! - The planner does no IO and reads neither clock nor environment: equal input, equal plan, byte for byte. clippy's
//!   `disallowed-methods` (`.clippy.toml`) enforce it, with reasons.
//! - The executor never sees a spec and makes no decision that a plan does not hold.
//! - What a step needs is done before it; that one machine is finished before the next is touched is a preference, which is
//!   let go of where needs go another way. So no edit of a spec makes a plan that waits for itself.
//! - A firewall opens before what needs it and closes after what needed it, in a plan of its own where it does both.
//! - No journal and no file of ours is ever read to decide what exists.
//! - There is one catalogue of kinds ([`KINDS`](keelson_provider_api::kinds::KINDS)) for create, update, observe and
//!   delete; there is no second deleter.
//! - Nothing changes without a [`Lease`](execute::Lease): [`Execution`](execute::Execution) cannot be made without, and
//!   confirms it before every attempt. Small things need none, and are the same whoever does them first: `node uncordon`
//!   takes a mark off a node, `node forget` takes a machine that is gone out of what keelson remembers, and backups are saved
//!   and pruned beside whatever else goes on.
//! - Nothing is taken down without a [`QuorumPermit`](plan::safety::QuorumPermit), which only [`plan::safety`] makes,
//!   and which is used up by one attempt. One step at a time asks, with a look at everything that decides, by name
//!   ([`Plan::decisive`](plan::Plan::decisive)): what does not answer, and what a permit is held for, counts as out of
//!   service.
//! - Nothing but `main` and [`cli`] touches the terminal, the environment or the exit code. [`view`]'s bars draw on
//!   stderr, and only because a command asked for them; AWS's SDK reads who asks out of the environment, and only because a
//!   command handed [`AwsAccess::from_environment`](registry::AwsAccess::from_environment) over, and where a spec's state is in S3.
//! - Only [`spec::load`] makes a [`ValidSpec`](spec::ValidSpec); only the planner and the reader of saved plans make a
//!   [`Plan`](plan::Plan), and both check it.
//! - A private key, a passphrase, a token is a [`Secret`](keelson_provider_api::values::Secret): it does not print and
//!   has no serialised form, so no log, plan or journal holds one by accident.
//! - What a render writes, a listing prints or a status tells holds no key: only `etcd credentials` and `kubeconfig` give
//!   keys away, to a file of the user's or because they were asked to print them.
//! - An authority is written to the state store once, where there is none, and never over; only the end of a destroy, after
//!   it is proven that nothing is left, takes authorities and keys away.
//! - Whatever Secrets were encrypted with in etcd, an API server can read them: each has every provider, the chosen one first.
//! - No `unsafe`; no lint is allowed silently (`#[expect(…, reason = "…")]` instead).
//!
//! # For programs that embed keelson
//!
//! Such a program needs four things, and `examples/embed.rs` uses no more: [`spec::load`]; [`registry::connect`], or
//! [`SessionParts`](ops::SessionParts) with providers, store and clocks of its own; the [`Session`](ops::Session) that comes of
//! it, with what its methods take and return in [`ops`]; and a [`Reporter`](execute::Reporter) of
//! [`Event`](execute::Event)s. [`view`] shows those to people. The other modules are public because documentation leads through
//! them and tests look at them; they may change with any release.
//!
//! # Where to add things
//!
//! **A kind of resource**: its file in `providers/api/src/kinds/` (fields, what changing each costs, what it stands
//! on, how long it lasts), one line in `catalogue!` there, its handling in each provider that looks after it, its
//! builder in [`model`].
//!
//! **A provider**: a crate in `providers/` that implements [`Provider`](keelson_provider_api::Provider) for its kinds
//! and sees only the vocabulary, and its lines in [`registry`]. Where a spec for it asks for other resources:
//! [`model`].
//!
//! **A command**: its file in `src/cli/`, one line in `cli::Command`; what it does in [`ops`], what it shows in
//! [`view`].
//!
//! **A certificate**: its row in [`pki::table`]. Which machines get it, what it is to be there, whether what is found is
//! the wanted one, and its row in a check all follow from that.
//!
//! **An event**: its variant in [`execute::Event`], its section in `docs/events.md` (a test compares them).
//!
//! # Where the code departs from the first design, and why
//!
//! - **One `node-bundle` a machine is all of its configuration**, and updating it is the unit of an upgrade. Separate
//!   resources for kubelet, containerd and so on would let a plan stop between two that only work together.
//! - **etcd members, control planes and nodes are resources with a [lifetime](keelson_provider_api::kinds::Lifetime)**:
//!   of their own, of their machine, of the cluster, or an archive's. A destroy deletes machines and lets what lived
//!   on them go along, without a step for each.
//! - **Leases run on the clock of the machines that keelson runs on**, while the simulated world has virtual time of
//!   its own: two processes that share a state directory must agree on when a lease ends.
//! - **The permit for a disruptive step is asked for before every attempt**, not once a plan: between two attempts
//!   another member may have failed.
//! - **Concrete providers and stores are named in [`registry`] alone**, which the commands use.
//! - **etcd's certificates are in `/etc/etcd/pki`**, not below `/etc/kubernetes/pki`:
//!   [`Layout::etcd`](pki::Layout::etcd) says why.
//! - **The provider `digitalocean` is not in this build.** Specs for it are read and checked in full;
//!   [`registry::connect`] says that it cannot act on them.
//! - **A machine that a cloud makes brings its first bundle itself**, out of the state store, by its role; from then on it is a host
//!   like any other, reached over SSH with the keys that it has published there. Whoever is made anew with a volume that was kept
//!   takes up the members of etcd whose data is on it.
//! - **Nodes and add-ons are looked after through the API, wherever machines come from**, by a provider of this crate
//!   ([`cluster`]); what it needs of machines is a vocabulary of its own ([`keelson_provider_api::joining`]).
//! - **kubeconfigs on machines name the files of certificates** instead of holding them, so that those are renewed without a
//!   restart; the scheduler's lie in a folder of their own, because its pod is to see no other key.
//! - **Routes between nodes are kept by the nodes themselves** (`templates/network/routes.sh`), so a worker that is added
//!   touches no other machine, and they are there before any API server after a power cut.
//!   On AWS, which drops packets with pods' addresses, the same program wraps them into packets of the nodes' own.
//! - **Kubelets of machines that join by themselves are approved by control planes** (`templates/kubernetes/approver.sh`), which
//!   look at the name that is asked for; the controller manager would let whoever holds the token be any node.
//! - **What a plan has no use for is asked of machines through [`MachineAccess`](ops::MachineAccess)**, beside the providers:
//!   the certificates themselves, and a way in for a person.
//! - **A render asks nobody**, no bucket either: a digest that neither a state directory nor a folder knows is zeros, which
//!   nothing can be installed with, until `--look-up-digests`. What was invented would be taken for what an apply does.
//! - **A bundle's settings are the digest of what a class of machines runs, with a machine's name and address.** Machines
//!   of one class differ in nothing else, so a thousand workers are rendered once, and a plan needs no secret: keys and
//!   certificates are no part of a bundle. What a certificate is to be has a digest of its own, which is seen to differ as
//!   soon as one is missing, signed by someone else or about to end.
//! - **The apply script is the same in every bundle**; what it does stands beside it, a line an action. No value of a
//!   user's is ever part of a script.
//! - **A restore of etcd is no plan.** What it changes is data, which no resource describes; it goes by an intent in the state
//!   store, and by marks on machines, and every step of it finds out by itself what is done ([`ops::RestoredEtcd`]). Nothing
//!   else begins meanwhile.
//! - **A backup counts from its manifest on**, which is written last and deleted first; what it is packed in can be opened with
//!   `zstd` and `age`, or with `gzip` ([`backup`]).
//! - **etcd is asked by `etcdctl` on the machines themselves**, so no port of it need be reachable from the operator.
//! - **A preflight's findings are part of the plan's report**: errors stop an apply before anything is touched, warnings are
//!   shown with the plan and stop nothing; `Unknown` is for what cannot be seen at all.
//! - **One machine can be seen to alone** ([`DesiredState::only`](plan::DesiredState)): the planner plans everything and
//!   keeps what concerns that machine and what has to be done before. The spec stays the only place where a machine is
//!   wanted: `node add` takes none that it does not name, `node remove` none that it still does.
//! - **A host that is lost for good is given up by name** (`keelson node forget`, `keelson destroy --gone`): from outside it looks
//!   like one that is only switched off, so no plan decides it. A cluster is not destroyed around a member of etcd that is silent.
//! - **Keys that were pinned for hosts outlive the cluster**, in `<cluster>/hosts/`: another key on the same host would be a sign
//!   of someone in its place.
//! - **What was changed by hand on a machine is drift**: an apply writes down how it leaves the files of a bundle (size, time,
//!   mode, owner), whoever looks compares that, and the next apply puts them back. Contents are not read: a look takes
//!   milliseconds on a machine with hundreds of megabytes of programs. So are units that are to run and do not; a node that
//!   was deleted from the API, or whose kubelet has lost its certificate, is brought in again.
//! - **A bundle's step ends when what it runs is well**, not when its files are there: a setting that a kubelet or an API server
//!   does not take shows only then. While one control plane, or as many nodes of a group as may be, are out of service and
//!   nothing of a plan mends that, it leaves their fellows alone.
//! - **etcd's settings are in `/etc/etcd/etcd.conf`**, where checks of the CIS benchmark look for them.
//! - **Workers on AWS are machines of a group, and nobody wants one by name**
//!   ([`NodeGroup`](keelson_provider_api::kinds::NodeGroup)): the cloud replaces what is lost, something else may scale it. A
//!   plan changes the group and removes outdated machines, [`GroupMachine`](keelson_provider_api::kinds::GroupMachine)s, which it
//!   finds by one digest of all that they were started from.
//! - **What the cluster's own controllers made is a kind that nobody wants**
//!   ([`Leftover`](keelson_provider_api::kinds::Leftover)): it is looked for where the cluster is to end, and nowhere else, and its
//!   deletes are steps of that plan as all others are.
//! - **Nodes are drained by a provider that stands before that of their machines** ([`cluster::DrainsFirst`]): neither knows
//!   the other, and clouds that replace machines need none.
//! - **An apply that ends with a member of etcd or a control plane unwell is no success**, also where nothing was to be done: the
//!   redundancy that the spec asks for is not there. Nodes and add-ons that are unwell are named.
//! - **No etcd is begun while any machine cannot be seen**, whether or not it is to have a member: who was there before is known
//!   from machines alone as long as a first apply has not come to its end.
//! - **A machine that does not answer is given up 90 s after its first failed call**; other troubles that pass are tried twelve times.

pub mod addons;
pub mod assets;
pub mod backup;
pub mod cli;
pub mod cluster;
pub mod execute;
pub mod model;
pub mod node;
pub mod ops;
pub mod pki;
pub mod plan;
pub mod registry;
pub mod spec;
pub mod store;
pub mod view;
