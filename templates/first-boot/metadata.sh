# shellcheck shell=sh
# Variables: none. What AWS tells a machine of itself, and lends it: instance metadata, version 2
# (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html). Keys go from file to file here, and are
# in no argument of a program.

metadata=http://169.254.169.254
metadata_attempts=5

# Asks with the further arguments of curl; 4 where there is nothing. The answer is in $scratch/metadata. What passes is tried again.
ask_metadata() {
    metadata_attempt=1
    while :; do
        metadata_status=$(curl -q --silent --noproxy '*' --connect-timeout 2 --max-time 5 --output "$scratch/metadata" \
            --write-out '%{http_code}' "$@" </dev/null) || metadata_status=000
        case $metadata_status in
        200) return 0 ;;
        404) return 4 ;;
        esac
        [ "$metadata_attempt" -lt "$metadata_attempts" ] || break
        sleep "$metadata_attempt"
        metadata_attempt=$((metadata_attempt + 1))
    done
    say "instance metadata answers with HTTP $metadata_status"
    return 1
}

# A token for what follows. It ends by itself.
begin_metadata() {
    ask_metadata --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 600' "$metadata/latest/api/token" ||
        fail 'there is no token for instance metadata'
    printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$(cat -- "$scratch/metadata")" >"$scratch/token"
}

read_metadata() { ask_metadata --config "$scratch/token" "$metadata/latest/$1"; }

# The text of the field `$1` of the JSON that was answered; no text there has an escape in it.
metadata_field() { { tr -d '\r\n' && echo; } <"$scratch/metadata" | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'; }

# Writes the key that the machine's role lends it to $s3_credentials. A role may be seen some time after the machine was made with it.
borrow_key() {
    read_metadata meta-data/iam/security-credentials/ || fail 'this machine has no role yet'
    role=$(head -n 1 -- "$scratch/metadata")
    read_metadata "meta-data/iam/security-credentials/$role" || fail "the role $role lends no key yet"
    [ "$(metadata_field Code)" = Success ] || fail "the role $role lends no key: $(metadata_field Code)"
    for field in AccessKeyId SecretAccessKey Token; do metadata_field "$field"; done >"$s3_credentials"
}

# Sets `instance` to the ARN of this machine, which its role's policy knows as `ec2:SourceInstanceARN`, and where nobody has given
# the machine a name, `name` to the last part of it, its id.
name_instance() {
    read_metadata meta-data/services/partition || fail 'instance metadata does not tell the partition'
    instance=arn:$(cat -- "$scratch/metadata"):ec2
    read_metadata dynamic/instance-identity/document || fail 'instance metadata does not tell who this machine is'
    instance=$instance:$(metadata_field region):$(metadata_field accountId):instance/$(metadata_field instanceId)
    case ${instance##*/} in
    '' | *[!a-z0-9-]*) fail "instance metadata tells no id of this machine: $instance" ;;
    esac
    name=${name:-${instance##*/}}
    address=$(metadata_field privateIp)
}
