#!/bin/sh
# Variables: none. Approves the CertificateSigningRequests of machines that join by themselves: what a kubelet asks for that has
# the token of those who join, and what the kubelets of such machines ask for to serve with. Runs on every control plane, and
# waits for the API server beside it; that two of them approve the same does no harm. It denies nothing.
#
# What is asked for is judged by approver.awk. What it refuses stays as it is, and is said once.
set -eu
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
requests=/apis/certificates.k8s.io/v1/certificatesigningrequests
run=$RUNTIME_DIRECTORY
: >"$run/said"

say() { printf '%s\n' "$*"; }

kubectl() {
    timeout 30 "$KEELSON_KUBECTL" --kubeconfig "$KEELSON_APPROVER_KUBECONFIG" --request-timeout=20s "$@" </dev/null
}

# Users and groups are what someone says of himself: as `urlquery` writes them, they can end no field and no line.
template='{{.type}}|{{with .object}}{{urlquery .metadata.name}}|{{urlquery .metadata.uid}}|{{urlquery .metadata.resourceVersion}}'
template=$template'|{{urlquery .spec.signerName}}|{{urlquery .spec.username}}|{{range .spec.groups}}{{urlquery .}} {{end}}'
template=$template'|{{range .spec.usages}}{{urlquery .}} {{end}}|{{range .status.conditions}}{{urlquery .type}} {{end}}'
template=$template'|{{.spec.request}}{{end}}{{"\n"}}'

nodes_template='{{range .items}}{{urlquery .metadata.name}}|{{range .status.addresses}}{{urlquery .address}} {{end}}{{"\n"}}{{end}}'

# Whatever is refused is judged again whenever the listening begins anew: a Node may be there by then, and have its addresses.
refuse() {
    printf '%s %s\n' "$uid" "$*" >"$run/reason"
    if ! grep -Fqx -f "$run/reason" "$run/said" "$run/said-now"; then say "$name is not approved: $*"; fi
    cat "$run/reason" >>"$run/said-now"
}

# Approves what was judged and nothing else: the API server refuses it for a request that is another by now. Of what is sent it
# takes no more than the condition.
approve() {
    printf '{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"%s","uid":"%s",' \
        "$name" "$uid" >"$run/approval"
    printf '"resourceVersion":"%s"},"spec":{"request":"%s","signerName":"%s"},"status":{"conditions":[{"type":"Approved",' \
        "$version" "$pkcs10" "$signer_name" >>"$run/approval"
    printf '"status":"True","reason":"KeelsonApprove","message":"a machine of a group: %s"}]}}\n' "$1" >>"$run/approval"
    if kubectl replace --raw "$requests/$name/approval" -f "$run/approval" >"$run/answer" 2>"$run/words"; then
        say "$name is approved: $1"
        return 0
    fi
    case $(cat "$run/words") in
    # It has changed: another control plane was first, or its change is heard of in a moment.
    'Error from server (Conflict)'*) ;;
    *) refuse "$(tail -n 1 "$run/words")" ;;
    esac
}

# The Nodes, as they were ten seconds ago at the most: a group may begin with many machines.
look_at_nodes() {
    now=$(date +%s)
    [ "$((now - looked))" -ge 10 ] || return 0
    kubectl get nodes --output "go-template=$nodes_template" >"$run/nodes" 2>"$run/words" || return 1
    looked=$now
}

# Nobody takes the name of a node that is there.
let_in() {
    if ! kubectl get nodes "${1#joins }" --ignore-not-found --output name >"$run/taken" 2>"$run/words"; then
        refuse "no API server says whether its Node is there: $(tail -n 1 "$run/words")"
    elif [ -s "$run/taken" ]; then
        refuse "the Node ${1#joins } is there already"
    else
        approve "$1"
    fi
}

judge() {
    # Part of a path and of JSON from here on; the API server gives no others.
    case $name$uid$version in
    *[!0-9a-z.-]*) return 0 ;;
    esac
    case $signer in
    kubernetes.io%2Fkube-apiserver-client-kubelet) signer_name=kubernetes.io/kube-apiserver-client-kubelet ;;
    kubernetes.io%2Fkubelet-serving)
        signer_name=kubernetes.io/kubelet-serving
        if ! look_at_nodes; then
            refuse "no API server says which Nodes there are: $(tail -n 1 "$run/words")"
            return 0
        fi
        ;;
    *) return 0 ;;
    esac
    printf '%s|%s|%s|%s|%s|%s|%s|%s|%s|%s\n' "$event" "$name" "$uid" "$version" "$signer" "$user" "$groups" "$usages" \
        "$conditions" "$pkcs10" >"$run/request"
    verdict=$(awk -v "request=$run/request" -v "nodes=$run/nodes" -v "group=$KEELSON_APPROVER_GROUP" \
        -f "$KEELSON_APPROVER_RULES" </dev/null) || verdict='refused it cannot be judged'
    case $verdict in
    'joins '*) let_in "$verdict" ;;
    'serves '*) approve "$verdict" ;;
    'refused '*) refuse "${verdict#refused }" ;;
    esac
}

# Listens to what the API says of requests, for half a minute.
listen() {
    : >"$run/said-now"
    looked=0
    {
        timeout 30 "$KEELSON_KUBECTL" --kubeconfig "$KEELSON_APPROVER_KUBECONFIG" get certificatesigningrequests --watch \
            --output-watch-events --output "go-template=$template" 2>"$run/listening" || echo "$?" >"$run/ended"
    } | while IFS='|' read -r event name uid version signer user groups usages conditions pkcs10; do
        case $event$conditions in
        ADDED | MODIFIED) judge ;;
        esac
    done
}

pause=1
waits=
while :; do
    echo 0 >"$run/ended"
    # Never in a condition: there the shell would go on after a command that failed.
    listen
    case $(cat "$run/ended") in
    # `timeout` says 124 where time was up.
    0 | 124)
        pause=1 waits=
        mv -f "$run/said-now" "$run/said"
        ;;
    *)
        sort -u -o "$run/said" "$run/said" "$run/said-now"
        words=$(tail -n 1 "$run/listening")
        [ -n "$waits" ] || say "wait for the API server: ${words:-it says nothing of requests}"
        waits=yes
        ;;
    esac
    sleep "$pause"
    pause=$((pause < 5 ? pause * 2 : 10))
done
