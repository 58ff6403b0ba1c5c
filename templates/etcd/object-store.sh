# shellcheck shell=sh
# Objects in a bucket of AWS S3, or of any server that speaks S3, for hosts that have curl and the usual tools. Stands
# before scripts that use it, which set:
#
#   s3_endpoint      https://HOST or https://HOST:PORT
#   s3_bucket        the bucket; in the server's name when s3_path_style is `no`, and otherwise in the path
#   s3_region        its region; servers that have none mostly want us-east-1
#   s3_credentials   a file that only root may read: the access key's id, its secret, and if there is one its session
#                    token, a line each
#   s3_ca            a file with the authority that the server's certificate is from; empty for the system's
#
# and may set s3_path_style (yes), s3_part_bytes (1 GiB) and s3_pause (seconds before the first repetition, 1). First
# comes `s3_begin`; `s3_end` belongs into the script's trap. Then:
#
#   s3_put FILE KEY      writes an object where there is none
#   s3_list PREFIX       the keys that begin so, a line each, in the server's order
#   s3_read KEY          an object of at most 1 MiB
#   s3_delete KEY        deletes an object; also well when there is none
#
# Each answers 0 when it is done, 3 when there is an object already, 4 when there is none, and 1 for anything else,
# which it tells on standard error. What passes (no connection, 500, 503, ...) is tried again, five times in all.
#
# Requests are signed here and not by `curl --aws-sigv4`: until 7.86 that signs neither x-amz-content-sha256, which S3
# wants, nor the session token, nor the body of an upload (curl/curl#8810), Ubuntu 22.04 has 7.81; and until 8 it signs
# a query as it stands (curl/curl#9717). The secret goes from the file into variables of this shell and through pipes:
# it is in no argument of a program, in no environment, and in no other file. Signatures, which lead nobody to it, go to
# curl in a file of its own.

# shellcheck disable=SC2154 # they are set by whoever uses it

s3_nothing=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
s3_read_bytes=1048576
s3_attempts=5

s3_begin() {
    umask 077
    LC_ALL=C
    s3_work=$(mktemp -d) || return 1
    s3_scheme=${s3_endpoint%%://*}
    s3_host=${s3_endpoint#*://}
    s3_host=${s3_host%/}
    # curl leaves these ports out of the field, which is signed.
    case $s3_scheme:$s3_host in
        https:*:443) s3_host=${s3_host%:443} ;;
        http:*:80) s3_host=${s3_host%:80} ;;
    esac
    s3_root=/$s3_bucket
    if [ "${s3_path_style:-yes}" = no ]; then
        s3_host=$s3_bucket.$s3_host
        s3_root=
    fi
    s3_id='' s3_secret='' s3_token=''
    { read -r s3_id && read -r s3_secret; read -r s3_token || :; } <"$s3_credentials" || return 1
    if [ -z "$s3_id" ] || [ -z "$s3_secret" ]; then
        echo "s3: $s3_credentials has no access key in it: write its id and its secret there, a line each" >&2
        return 1
    fi
}

s3_end() {
    [ -z "${s3_work:-}" ] || rm -rf -- "$s3_work"
    s3_work=
}

# The bytes whose hexadecimal digits are `$1`, each exclusive-or `$2`, as `printf %b` wants them.
s3_bytes() {
    s3_rest=$1 s3_escaped=
    while [ -n "$s3_rest" ]; do
        s3_byte=$((0x${s3_rest%"${s3_rest#??}"} ^ $2))
        s3_rest=${s3_rest#??}
        s3_escaped=$s3_escaped\\0$((s3_byte >> 6))$((s3_byte >> 3 & 7))$((s3_byte & 7))
    done
}

# The hexadecimal digits of what comes from stdin.
s3_digits() {
    od -A n -v -t x1 | tr -d ' \n'
}

# HMAC-SHA-256 of the text `$2`, as RFC 2104 has it; the key `$1` and the result in hexadecimal digits.
s3_hmac() {
    s3_padded=$1
    if [ "${#s3_padded}" -gt 128 ]; then
        s3_bytes "$s3_padded" 0
        s3_padded=$(printf %b "$s3_escaped" | sha256sum)
        s3_padded=${s3_padded%% *}
    fi
    while [ "${#s3_padded}" -lt 128 ]; do
        s3_padded=${s3_padded}00
    done
    s3_bytes "$s3_padded" 54
    s3_inner=$({ printf %b "$s3_escaped" && printf %s "$2"; } | sha256sum)
    s3_bytes "$s3_padded" 92
    s3_outer=$s3_escaped
    s3_bytes "${s3_inner%% *}" 0
    s3_inner=$(printf %b "$s3_outer$s3_escaped" | sha256sum)
    printf %s "${s3_inner%% *}"
}

# `$1` as it stands in an address; `$2` is a slash where slashes stay.
s3_encode() {
    case $1 in
        *[!A-Za-z0-9._~-]*) ;;
        *)
            printf %s "$1"
            return
            ;;
    esac
    s3_rest=$(printf %s "$1" | s3_digits)
    while [ -n "$s3_rest" ]; do
        s3_byte=${s3_rest%"${s3_rest#??}"}
        s3_rest=${s3_rest#??}
        case $s3_byte in
            3[0-9] | 4[1-9a-f] | 5[0-9a] | 6[1-9a-f] | 7[0-9a] | 2[de] | 5f | 7e)
                s3_byte=$((0x$s3_byte))
                printf %b "\\0$((s3_byte >> 6))$((s3_byte >> 3 & 7))$((s3_byte & 7))"
                ;;
            2f) [ "$2" = / ] && printf / || printf %%2F ;;
            *) printf '%%%s' "$s3_byte" | tr a-f A-F ;;
        esac
    done
}

# What is sent: `s3_length` bytes of `s3_file` from `s3_offset` on.
s3_part() {
    tail -c "+$((s3_offset + 1))" -- "$s3_file" | head -c "$s3_length"
}

# Writes down for curl: method `$1`, path `$2`, query `$3`, body with the digest `$4`, seconds at most `$5`.
s3_sign() {
    s3_now=$(date -u +%Y%m%dT%H%M%SZ)
    s3_day=${s3_now%T*}
    s3_canonical="host:$s3_host
x-amz-content-sha256:$4
x-amz-date:$s3_now
"
    s3_signed='host;x-amz-content-sha256;x-amz-date'
    if [ -n "$s3_mark" ]; then
        s3_canonical="${s3_canonical}x-amz-meta-keelson-write:$s3_mark
"
        s3_signed="$s3_signed;x-amz-meta-keelson-write"
    fi
    if [ -n "$s3_token" ]; then
        s3_canonical="${s3_canonical}x-amz-security-token:$s3_token
"
        s3_signed="$s3_signed;x-amz-security-token"
    fi
    s3_digest=$(printf '%s\n%s\n%s\n%s\n%s\n%s' "$1" "$2" "$3" "$s3_canonical" "$s3_signed" "$4" | sha256sum)
    s3_scope=$s3_day/$s3_region/s3/aws4_request
    s3_hmac_key=$(printf %s "AWS4$s3_secret" | s3_digits)
    for s3_word in "$s3_day" "$s3_region" s3 aws4_request "AWS4-HMAC-SHA256
$s3_now
$s3_scope
${s3_digest%% *}"; do
        s3_hmac_key=$(s3_hmac "$s3_hmac_key" "$s3_word")
    done
    {
        printf 'url = "%s://%s%s%s"\n' "$s3_scheme" "$s3_host" "$2" "${3:+?$3}"
        printf 'header = "Authorization: AWS4-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s"\n' \
            "$s3_id/$s3_scope" "$s3_signed" "$s3_hmac_key"
        printf '%s' "$s3_canonical" | sed -n 's/^\(x-amz-[^:]*\):\(.*\)$/header = "\1: \2"/p'
        [ -z "$s3_condition" ] || printf 'header = "%s"\n' "$s3_condition"
        if [ "$1" = HEAD ]; then echo head; else printf 'request = "%s"\n' "$1"; fi
        if [ -n "$s3_file" ]; then
            # A stream has no length of its own, and S3 takes none without.
            printf 'upload-file = "-"\nheader = "Transfer-Encoding:"\nheader = "Content-Length: %s"\n' "$s3_length"
        elif [ "$1" = POST ]; then
            echo 'header = "Content-Length: 0"'
        fi
        [ -z "${s3_ca:-}" ] || printf 'cacert = "%s"\n' "$s3_ca"
        [ "$1" != GET ] || printf 'max-filesize = %s\n' "$s3_limit"
        printf 'output = "%s"\ndump-header = "%s"\nmax-time = %s\n' "$s3_work/answer" "$s3_work/head" "$5"
        printf '%s\n' http1.1 silent show-error globoff 'connect-timeout = 10' 'speed-limit = 1024' "speed-time = ${s3_silence:-60}" \
            'write-out = "%{http_code}"' 'proto = "=http,https"'
    } >"$s3_work/curl"
}

# Asks by the method `$1` for the key `$2` (empty: the bucket) with the query `$3`, `$4` seconds at most each time.
# `s3_status` is what HTTP says then, 000 when nothing came; the answer is in `$s3_work/answer`.
s3_ask() {
    s3_path=$s3_root/$(s3_encode "$2" /)
    [ -n "$2" ] || s3_path=${s3_root:-/}
    s3_hash=$s3_nothing
    if [ -n "$s3_file" ]; then
        s3_hash=$(s3_part | sha256sum) || return 1
        s3_hash=${s3_hash%% *}
    fi
    s3_attempt=1 s3_wait=${s3_pause:-1}
    while :; do
        rm -f -- "$s3_work/answer" "$s3_work/head"
        s3_sign "$1" "$s3_path" "$3" "$s3_hash" "$4" || return 1
        s3_ended=0
        if [ -n "$s3_file" ]; then
            s3_status=$(s3_part | curl -q --config "$s3_work/curl" 2>"$s3_work/said") || s3_ended=$?
        else
            s3_status=$(curl -q --config "$s3_work/curl" 2>"$s3_work/said" </dev/null) || s3_ended=$?
        fi
        if ! s3_passes || [ "$s3_attempt" -ge "$s3_attempts" ]; then
            break
        fi
        sleep "$s3_wait"
        s3_attempt=$((s3_attempt + 1)) s3_wait=$((s3_wait * 2))
    done
    # An answer that broke off is none.
    case $s3_ended:$s3_status in
        0:* | *:[345]??) ;;
        *) s3_status=000 ;;
    esac
}

# Whether the same request may end in another way the next time.
s3_passes() {
    case $s3_status in
        408 | 409 | 429 | 500 | 502 | 503 | 504) return 0 ;;
        [345]??) return 1 ;;
        2??)
            # An upload is put together while the answer comes, so that it can fail after having begun well.
            if [ -f "$s3_work/answer" ] && grep -q '<Code>\(InternalError\|SlowDown\)</Code>' "$s3_work/answer"; then
                return 0
            fi
            ;;
    esac
    case $s3_ended in
        # No name, no connection, a broken one, no answer in time.
        5 | 6 | 7 | 16 | 18 | 28 | 35 | 52 | 55 | 56 | 92) return 0 ;;
    esac
    return 1
}

# The text of the first element `$1` of the answer.
s3_element() {
    [ ! -f "$s3_work/answer" ] ||
        awk -v name="$1>" 'BEGIN { RS = "<" } index($0, name) == 1 { print substr($0, length(name) + 1); exit }' \
            "$s3_work/answer"
}

# The value of the field `$1`, in small letters, of the answer's last head.
s3_field() {
    [ ! -f "$s3_work/head" ] ||
        awk -v name="$1:" 'index(tolower($0), name) == 1 { value = substr($0, length(name) + 1) }
            END { gsub(/^[ \t]+|[ \t\r]+$/, "", value); print value }' "$s3_work/head"
}

# Tells why the deed `$1` had no success, and what to do. Always 1.
s3_tell() {
    s3_code=$(s3_element Code)
    s3_there=$(s3_field x-amz-bucket-region)
    s3_there=${s3_there:-$(s3_element Region)}
    case $s3_status:$s3_code in
        000:*) s3_advice="no answer of $s3_endpoint ($(head -c 300 "$s3_work/said" | tr '\n' ' ')): see whether it can be reached from here" ;;
        *:NoSuchBucket) s3_advice="there is no bucket $s3_bucket: make it, or correct its name" ;;
        301:* | 307:* | *:AuthorizationHeaderMalformed)
            s3_advice="the bucket is in the region ${s3_there:-of another name} and not in $s3_region: set its region"
            ;;
        *:InvalidAccessKeyId) s3_advice="there is no access key $s3_id: correct it" ;;
        *:SignatureDoesNotMatch) s3_advice="the secret is not that of the access key $s3_id: correct it" ;;
        *:ExpiredToken | *:InvalidToken) s3_advice="the session token has expired: get another one" ;;
        *:RequestTimeTooSkewed) s3_advice="the clock of this machine is wrong: set it" ;;
        401:* | 403:*) s3_advice="the access key $s3_id may not do this: allow it, and see whether its secret is right" ;;
        429:* | 503:*) s3_advice="the server has too much to do: try again later" ;;
        *) s3_advice="see what the server's log says" ;;
    esac
    echo "s3: cannot $1 in bucket $s3_bucket: $s3_advice (HTTP $s3_status${s3_code:+, $s3_code})" >&2
    return 1
}

# Nothing is sent, nothing is asked for beside, an answer is short.
s3_plain() {
    s3_file='' s3_offset=0 s3_length=0 s3_mark='' s3_condition='' s3_limit=$((16 << 20))
}

# How a write of the key `$1` has ended that was refused because there is an object, or an upload no more: it is this
# very write whose answer was lost, when the object bears its mark.
s3_settle() {
    s3_ours=$s3_mark
    s3_plain
    s3_ask HEAD "$1" '' 60
    case $s3_status in
        200) [ "$(s3_field x-amz-meta-keelson-write)" = "$s3_ours" ] || return 3 ;;
        *) s3_tell "write $1" ;;
    esac
}

s3_put() {
    s3_plain
    s3_source=$1 s3_target=$2
    s3_size=$(wc -c <"$s3_source") || return 1
    s3_size=$((s3_size)) s3_most=${s3_part_bytes:-1073741824}
    s3_mark=$(cat /proc/sys/kernel/random/uuid) || return 1
    if [ "$s3_size" -gt "$s3_most" ]; then
        s3_put_parts
        return
    fi
    s3_condition='If-None-Match: *'
    if [ "$s3_size" -gt 0 ]; then
        s3_file=$s3_source s3_length=$s3_size
    else
        : >"$s3_work/empty"
        s3_file=$s3_work/empty
    fi
    s3_ask PUT "$s3_target" '' 3600 || return 1
    case $s3_status in
        200) ;;
        409 | 412) s3_settle "$s3_target" ;;
        *) s3_tell "write $s3_target" ;;
    esac
}

# The same in parts, which are read from the file one after the other.
s3_put_parts() {
    s3_ask POST "$s3_target" uploads= 60 || return 1
    s3_upload=$(s3_element UploadId)
    if [ "$s3_status" != 200 ] || [ -z "$s3_upload" ]; then
        s3_tell "write $s3_target"
        return
    fi
    s3_upload=$(s3_encode "$s3_upload" '')
    s3_made=$s3_mark
    s3_done=0
    s3_send_parts || s3_done=$?
    if [ "$s3_done" != 0 ]; then
        # What cannot be taken back is swept later.
        s3_plain
        s3_ask DELETE "$s3_target" "uploadId=$s3_upload" 60 || :
    fi
    return "$s3_done"
}

s3_send_parts() {
    printf '<CompleteMultipartUpload>' >"$s3_work/parts"
    s3_number=1 s3_begins=0
    while [ "$s3_begins" -lt "$s3_size" ]; do
        s3_plain
        s3_file=$s3_source s3_offset=$s3_begins s3_length=$((s3_size - s3_begins))
        [ "$s3_length" -le "$s3_most" ] || s3_length=$s3_most
        s3_ask PUT "$s3_target" "partNumber=$s3_number&uploadId=$s3_upload" 3600 || return 1
        s3_etag=$(s3_field etag)
        s3_etag=${s3_etag#\"}
        s3_etag=${s3_etag%\"}
        case $s3_status:$s3_etag in
            200: | 200:*[!A-Za-z0-9-]*) s3_status="200 without an ETag" ;;
        esac
        if [ "$s3_status" != 200 ]; then
            s3_tell "write $s3_target"
            return
        fi
        printf '<Part><PartNumber>%s</PartNumber><ETag>"%s"</ETag></Part>' "$s3_number" "$s3_etag" >>"$s3_work/parts"
        s3_number=$((s3_number + 1)) s3_begins=$((s3_begins + s3_length))
    done
    printf '</CompleteMultipartUpload>' >>"$s3_work/parts"
    s3_plain
    s3_file=$s3_work/parts s3_condition='If-None-Match: *'
    s3_length=$(($(wc -c <"$s3_file")))
    # A server that puts parts together is silent for minutes.
    s3_silence=900
    s3_ask POST "$s3_target" "uploadId=$s3_upload" 900 || return 1
    s3_silence=60
    if [ "$s3_status" = 200 ] && grep -q '<CompleteMultipartUploadResult' "$s3_work/answer"; then
        return
    fi
    s3_mark=$s3_made
    case $s3_status in
        404 | 409 | 412) s3_settle "$s3_target" ;;
        *) s3_tell "write $s3_target" ;;
    esac
}

s3_list() {
    s3_plain
    s3_prefix=$(s3_encode "$1" '') s3_next='' s3_pages=0
    while [ "$s3_pages" -lt 1000 ]; do
        s3_ask GET '' "${s3_next:+continuation-token=$s3_next&}list-type=2&prefix=$s3_prefix" 60 || return 1
        if [ "$s3_status" != 200 ] || ! grep -q '</ListBucketResult>' "$s3_work/answer"; then
            s3_tell "list $1"
            return
        fi
        # Keys with control characters, which come as `&#10;`, are none of keelson's.
        awk 'BEGIN { RS = "<" } index($0, "Key>") == 1 { print substr($0, 5) }' "$s3_work/answer" |
            sed -e '/&#/d' -e 's/&lt;/</g;s/&gt;/>/g' -e "s/&quot;/\"/g;s/&apos;/'/g" -e 's/&amp;/\&/g'
        [ "$(s3_element IsTruncated)" = true ] || return 0
        s3_next=$(s3_element NextContinuationToken)
        [ -n "$s3_next" ] || break
        s3_next=$(s3_encode "$s3_next" '')
        s3_pages=$((s3_pages + 1))
    done
    echo "s3: the list of $1 in bucket $s3_bucket has no end" >&2
    return 1
}

s3_read() {
    s3_plain
    s3_limit=$s3_read_bytes
    s3_ask GET "$1" '' 60 || return 1
    case $s3_status:$(s3_element Code) in
        200:*) ;;
        404:NoSuchKey) return 4 ;;
        *)
            s3_tell "read $1"
            return
            ;;
    esac
    if [ ! -f "$s3_work/answer" ]; then
        return 0
    elif [ "$(wc -c <"$s3_work/answer")" -gt "$s3_read_bytes" ]; then
        echo "s3: $1 in bucket $s3_bucket has more than $s3_read_bytes bytes: it is none of keelson's" >&2
        return 1
    fi
    cat -- "$s3_work/answer"
}

s3_delete() {
    s3_plain
    s3_ask DELETE "$1" '' 60 || return 1
    case $s3_status:$(s3_element Code) in
        20[04]:* | 404:NoSuchKey) ;;
        *) s3_tell "delete $1" ;;
    esac
}
