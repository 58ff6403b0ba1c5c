"""An emulator of AWS for tests: moto (https://docs.getmoto.org), with what it does wrong put right, and with trouble on demand.

    python -m aws ADDRESS BUCKET [CERTIFICATE KEY] [--delay SECONDS] [--without PATCH]

prints its port, and ends with its standard input. It is started in the folder above this one, by a Python with moto in it
(`test-hosts moto` makes one). Account 123456789012, any region, any credentials. `emulator` says how it is told things while it
runs, `faults` what trouble there is.

What is put right is in functions around actions of the API or instead of methods of moto's (`patches`), each with the words of
what AWS does, where that is written, and what moto does. Every one has a name, and a test that fails without it. GET
/_keelson/settings shows all names and words.

| module | what it is about |
|---|---|
| `addresses`, `interfaces` | private addresses are given once; whose interfaces are, and what becomes of them |
| `network` | one gateway of a VPC, one table of a subnet |
| `dependencies` | what must be gone before groups, subnets, tables, gateways, addresses and VPCs can be deleted |
| `gateways`, `volumes`, `instances` | states: what is pending, creating, attaching, shutting-down, deleting |
| `launch`, `templates`, `profiles` | what instances are started with, from a launch template too, and what is refused |
| `tokens` | client tokens |
| `images` | Ubuntu 24.04 and Debian 12 of their owners, and images of one's own |
| `balancers`, `targets` | network load balancers, their interfaces and names; the health of targets |
| `scaling`, `groups`, `refresh` | Auto Scaling groups: spread, bounds, states, endings, refreshes |
| `dns` | values, batches and changes of Route 53, caller references, and which VPCs see private zones |
| `rights` | SimulatePrincipalPolicy |
| `late` | what was just made does not show, if that is wished |
| `machines`, `metadata`, `names` | what machines need that play instances, what the metadata service says to them, and what \
names they resolve |
| `asking`, `buckets` | trial runs, filters, tags of what is not there; names of buckets, tags that they are made with, what they say of versions |

Nothing is checked of these, and a test that passes says nothing about them:

| what AWS has | here |
|---|---|
| signatures, IAM policies | anybody may do anything; the journal says what each call needs (`permissions`), to be compared with a policy |
| conditional writes of S3 | two at the same moment may both be done; the proxy in `providers/aws/tests` lets one in at a time |
| writing to what was just made | it is always there; a rule of `faults` answers InvalidVpcID.NotFound once |
| quotas, capacity, prices, spot interruptions | none; a rule of `faults` answers InsufficientInstanceCapacity to RunInstances, not to a group |
| networks | nothing is reachable or blocked; routes do not become black holes; health of targets is as is wished, or by a connection |
| Auto Scaling: lifecycle hooks, weights, warm pools, rebalancing, health checks by load balancers | hooks wait for nobody; weights are 1; \
PutWarmPool is NotImplemented; the first type of a mix is taken |
| instance refreshes: preferences but SkipMatching, DesiredConfiguration, rollback, checkpoints | one instance after the other; \
DesiredConfiguration is NotImplemented |
| DryRun of actions that `asking` does not name | as moto has it: most are right |
| IPv6, Elastic IP pools, network ACLs, endpoints, peering | as moto has it, not looked at |
| a target at two ports, health of targets by zone | one port for a target |
| status checks of instances, console output, snapshots that take time | ok at once, nothing, completed at once |
| public parameters of SSM | Amazon Linux alone |
| anything that moto has no code for | 501 NotImplemented with the reason; the journal has the stack (`crash`) |
"""
