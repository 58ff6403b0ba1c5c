# Judges one CertificateSigningRequest of a machine that joins by itself, for approver.sh.
#
# Given with -v: `request`, a file with the one line that approver.sh's template makes of it; `nodes`, a file with a line a
# Node: its name, `|`, its addresses. `group`: whose members may join. Texts are as Go's `urlquery` writes them.
#
# Says one line: `joins NAME`, `serves NAME`, `refused REASON`, or `other` for what is none of its business. The PKCS#10
# (RFC 2986) is walked as DER: whatever is not exactly what a kubelet writes there is refused.

function refuse(reason) {
    print "refused " reason
    exit 0
}

function is_among(word, list,    words, count, i) {
    count = split(list, words, " ")
    for (i = 1; i <= count; i++) if (words[i] == word) return 1
    return 0
}

# An instance of EC2.
function is_machine(name) {
    return name ~ /^i-[0-9a-f]+$/ && length(name) >= 10 && length(name) <= 19
}

function check_usages(wanted, list,    words, count, seen, i) {
    count = split(list, words, " ")
    for (i = 1; i <= count; i++) {
        if (words[i] != "digital+signature" && words[i] != "key+encipherment" && words[i] != wanted)
            refuse("it asks for another usage than a kubelet's: " words[i])
        seen[words[i]] = 1
    }
    if (!("digital+signature" in seen) || !(wanted in seen)) refuse("it lacks a usage of a kubelet's")
}

# base64 (RFC 4648) to numbers; how many.
function decode(text, bytes,    i, k, digit, bits, held, count) {
    if (length(text) % 4 != 0 || text !~ "^[A-Za-z0-9+/]+=?=?$") refuse("it is no base64")
    sub(/=+$/, "", text)
    for (i = 1; i <= length(text); i++) {
        digit = index(ALPHABET, substr(text, i, 1)) - 1
        held = held * 64 + digit
        bits += 6
        if (bits < 8) continue
        bits -= 8
        # Of busybox, which may have been built without powers.
        k = bits == 4 ? 16 : bits == 2 ? 4 : 1
        bytes[++count] = int(held / k)
        held %= k
    }
    if (held != 0) refuse("it is no base64")
    return count
}

# One block of PEM (RFC 7468) with nothing around it, to `der` and `size`.
function open_pem(text,    bytes, count, i, lines, last, body) {
    if (length(text) > 16384) refuse("it is longer than any kubelet's")
    count = decode(text, bytes)
    text = ""
    for (i = 1; i <= count; i++) {
        if (bytes[i] != 10 && (bytes[i] < 32 || bytes[i] > 126)) refuse("it is no PEM")
        text = text sprintf("%c", bytes[i])
    }
    last = split(text, lines, "\n")
    if (last > 1 && lines[last] == "") last--
    if (lines[1] != "-----BEGIN CERTIFICATE REQUEST-----" || lines[last] != "-----END CERTIFICATE REQUEST-----")
        refuse("it is no PEM of a PKCS#10")
    for (i = 2; i < last; i++) body = body lines[i]
    size = decode(body, der)
}

# Steps into what begins at `at` and has to end at `stop` at the latest: `inside` is its first byte, `behind` the one after its
# last. Lengths are definite and as short as can be (X.690, 10.1).
function enter(tag, at, stop,    count) {
    if (at + 2 > stop) refuse("its PKCS#10 ends too early")
    if (der[at] != tag) refuse("its PKCS#10 holds what no kubelet's does, at byte " at)
    count = der[at + 1]
    inside = at + 2
    if (count == 129 && at + 3 <= stop && der[at + 2] > 127) {
        count = der[at + 2]
        inside = at + 3
    } else if (count == 130 && at + 4 <= stop && der[at + 2] > 0) {
        count = der[at + 2] * 256 + der[at + 3]
        inside = at + 4
    } else if (count > 127) {
        refuse("its PKCS#10 has a length that is none, at byte " at)
    }
    behind = inside + count
    if (behind > stop) refuse("its PKCS#10 ends too early")
}

# As `enter`, for what fills all that is left.
function enter_last(tag, at, stop) {
    enter(tag, at, stop)
    if (behind != stop) refuse("its PKCS#10 holds more than a kubelet's, at byte " behind)
}

function hexadecimal(at, stop,    text) {
    for (; at < stop; at++) text = text sprintf("%02x", der[at])
    return text
}

function printable(at, stop,    text) {
    for (; at < stop; at++) {
        if (der[at] < 33 || der[at] > 126) refuse("a name in its PKCS#10 holds a character that no kubelet writes")
        text = text sprintf("%c", der[at])
    }
    return text
}

# The subject: one organisation and one common name, each in a set of its own.
function read_subject(at, stop,    rest, kind, tag) {
    while (at < stop) {
        enter(49, at, stop)
        at = behind
        enter_last(48, inside, at)
        enter(6, inside, at)
        kind = hexadecimal(inside, behind)
        rest = behind
        tag = der[rest]
        if (tag != 12 && tag != 19) refuse("its subject holds a text that is neither UTF8String nor PrintableString")
        enter_last(tag, rest, at)
        if (kind == "55040a") {
            if (organizations++) refuse("its subject has more than one organisation")
            organization = printable(inside, behind)
        } else if (kind == "550403") {
            if (common_names++) refuse("its subject has more than one common name")
            common_name = printable(inside, behind)
        } else {
            refuse("its subject holds more than an organisation and a common name")
        }
    }
}

function address_text(at, stop,    text, i) {
    if (stop - at == 4) return der[at] "." der[at + 1] "." der[at + 2] "." der[at + 3]
    for (i = at; i < stop; i += 2) text = text (i > at ? ":" : "") sprintf("%x", der[i] * 256 + der[i + 1])
    return text
}

# The names that the certificate is to be for, as `names` are compared and as people read them: DNS names and IP addresses.
function read_names(at, stop,    tag) {
    while (at < stop) {
        tag = der[at]
        if (tag != 130 && tag != 135) refuse("it asks for a name that is neither a DNS name nor an IP address")
        enter(tag, at, stop)
        at = behind
        if (tag == 130) {
            shown[++name_count] = tolower(printable(inside, behind))
            names[name_count] = "DNS " shown[name_count]
        } else {
            if (behind - inside != 4 && behind - inside != 16) refuse("it asks for an IP address that is none")
            shown[++name_count] = address_text(inside, behind)
            names[name_count] = "IP " hexadecimal(inside, behind)
        }
    }
    if (name_count == 0) refuse("it has a list of names without any")
}

# What comes with the key: nothing, or a request for one extension, the subject's alternative names.
function read_attributes(at, stop,    rest) {
    if (at == stop) return
    enter_last(48, at, stop)
    enter(6, inside, stop)
    if (hexadecimal(inside, behind) != "2a864886f70d01090e") refuse("it has an attribute that no kubelet's has")
    enter_last(49, behind, stop)
    enter_last(48, inside, stop)
    enter_last(48, inside, stop)
    enter(6, inside, stop)
    if (hexadecimal(inside, behind) != "551d11") refuse("it asks for an extension that no kubelet asks for")
    rest = behind
    enter_last(4, rest, stop)
    enter_last(48, inside, stop)
    read_names(inside, behind)
}

# CertificationRequest (RFC 2986, 4.2): version, subject, key and attributes; the algorithm; the signature, which is checked by
# who signs.
function read_request(    stop, info_stop, subject_stop, key_stop) {
    stop = size + 1
    enter_last(48, 1, stop)
    enter(48, inside, stop)
    info_stop = behind
    enter(2, inside, info_stop)
    if (hexadecimal(inside, behind) != "00") refuse("its PKCS#10 is of another version")
    enter(48, behind, info_stop)
    subject_stop = behind
    read_subject(inside, subject_stop)
    enter(48, subject_stop, info_stop)
    key_stop = behind
    enter(48, inside, key_stop)
    enter_last(3, behind, key_stop)
    enter_last(160, key_stop, info_stop)
    read_attributes(inside, info_stop)
    enter(48, info_stop, stop)
    enter_last(3, behind, stop)
}

# A client certificate, asked for with the token of those who join.
function judge_join(    prefix, name) {
    prefix = "system%3Abootstrap%3A"
    if (!is_among(group, field[7])) return
    if (substr(field[6], 1, length(prefix)) != prefix) refuse("who asks holds no bootstrap token: " field[6])
    check_usages("client+auth", field[8])
    open_pem(field[10])
    read_request()
    name = common_name
    if (sub(/^system:node:/, "", name) != 1 || !is_machine(name)) refuse("its common name is no machine's: " common_name)
    if (organization != "system:nodes") refuse("its organisation is not system:nodes")
    if (name_count) refuse("a client's certificate is for no names")
    print "joins " name
    exit 0
}

# An IP address as its bytes; nothing for what is none.
function address_bytes(text,    parts, count, i, bytes) {
    if (index(text, ":")) return long_address_bytes(text)
    count = split(text, parts, "[.]")
    if (count != 4) return ""
    for (i = 1; i <= 4; i++) {
        if (parts[i] !~ /^[0-9]+$/ || parts[i] + 0 > 255) return ""
        bytes = bytes sprintf("%02x", parts[i] + 0)
    }
    return bytes
}

function groups_bytes(text,    parts, count, i, bytes) {
    if (text == "") return ""
    count = split(text, parts, ":")
    for (i = 1; i <= count; i++) {
        if (parts[i] !~ /^[0-9a-f]+$/ || length(parts[i]) > 4) return "none"
        bytes = bytes substr("000" parts[i], length(parts[i]))
    }
    return bytes
}

# RFC 4291, 2.2.
function long_address_bytes(text,    halves, before, after) {
    text = tolower(text)
    if (split(text, halves, "::") > 2) return ""
    before = groups_bytes(halves[1])
    after = groups_bytes(halves[2])
    if (before == "none" || after == "none") return ""
    if (index(text, "::")) while (length(before) + length(after) < 32) before = before "0"
    return length(before) + length(after) == 32 ? before after : ""
}

# What a Node goes by: `DNS NAME`, `IP BYTES`.
function read_nodes(name,    line, parts, addresses, count, i, word) {
    while ((getline line < nodes) > 0) {
        split(line, parts, "[|]")
        is_there[parts[1]] = 1
        count = split(parts[2], addresses, " ")
        addresses[++count] = parts[1]
        for (i = 1; i <= count; i++) {
            gsub(/%3A/, ":", addresses[i])
            word = address_bytes(addresses[i])
            word = word == "" ? "DNS " tolower(addresses[i]) : "IP " word
            if (parts[1] == name) own[word] = 1
            else of_another[word] = parts[1]
        }
    }
}

# A Node writes its addresses itself, so by them alone it could ask for the name of anyone. Names that EC2 gives begin in these
# ways: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-naming.html
function is_name_of(name, text) {
    if (text == name || index(text, name ".") == 1) return 1
    return text ~ /^(ip|ec2)-[0-9]+-[0-9]+-[0-9]+-[0-9]+[.]/
}

# A serving certificate, asked for by the machine's own kubelet.
function judge_serve(    prefix, name, i, asks) {
    prefix = "system%3Anode%3A"
    name = field[6]
    if (substr(name, 1, length(prefix)) != prefix) refuse("who asks is no node: " name)
    name = substr(name, length(prefix) + 1)
    if (!is_machine(name)) refuse("who asks is no machine of a group: " name)
    if (!is_among("system%3Anodes", field[7])) refuse("who asks is not in the group system:nodes: " name)
    check_usages("server+auth", field[8])
    open_pem(field[10])
    read_request()
    if (common_name != "system:node:" name) refuse("its common name is not who asks: " common_name)
    if (organization != "system:nodes") refuse("its organisation is not system:nodes")
    if (!name_count) refuse("a server's certificate is for names, and it asks for none")
    read_nodes(name)
    if (!(name in is_there)) refuse("there is no Node " name " yet")
    for (i = 1; i <= name_count; i++) {
        asks = "it asks for " shown[i] ", which is "
        if (names[i] in of_another) refuse(asks "of the Node " of_another[names[i]])
        if (!(names[i] in own)) refuse(asks "not of the Node " name " yet")
        if (names[i] ~ /^DNS / && !is_name_of(name, shown[i])) refuse(asks "no name of a machine")
    }
    print "serves " name
    exit 0
}

BEGIN {
    gsub(/:/, "%3A", group)
    ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    getline line < request
    if (split(line, field, "[|]") != 10) refuse("it is not written as it should be")
    if (field[5] == "kubernetes.io%2Fkube-apiserver-client-kubelet") judge_join()
    if (field[5] == "kubernetes.io%2Fkubelet-serving") judge_serve()
    print "other"
}
