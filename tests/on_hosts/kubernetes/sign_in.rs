//! An OpenID Connect provider on a host, and people who sign in with its tokens.

use keelson_test_hosts::Host;

use super::site::Site;

/// Makes a certificate for the address `$1`, a key that the provider answers for and one that it does not, and what it says
/// of itself.
const PREPARE: &str = r#"
set -eu
b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
mkdir -p /root/issuer/.well-known
cd /root
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=issuer -addext "subjectAltName=IP:$1" \
    -keyout issuer.key -out issuer.crt 2>/dev/null
for key in own foreign; do openssl genrsa -out $key.key 2048 2>/dev/null; done
unhex='import sys, binascii; sys.stdout.buffer.write(binascii.unhexlify(sys.stdin.read().strip()))'
modulus=$(openssl rsa -in own.key -noout -modulus | cut -d = -f 2 | python3 -c "$unhex" | b64)
cat >issuer/keys <<END
{ "keys": [{ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "own", "n": "$modulus", "e": "AQAB" }] }
END
cat >issuer/.well-known/openid-configuration <<END
{ "issuer": "https://$1:8443", "jwks_uri": "https://$1:8443/keys", "response_types_supported": ["id_token"],
  "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"] }
END
systemd-run --quiet --unit=issuer --working-directory=/root/issuer openssl s_server -quiet -accept 8443 -WWW \
    -cert /root/issuer.crt -key /root/issuer.key
"#;

/// A token with the claims `$2`, signed with the key `$1`, which says that it is `own`.
const SIGN: &str = r#"
set -eu
b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
text=$(printf '{"alg":"RS256","typ":"JWT","kid":"own"}' | b64).$(printf '%s' "$2" | b64)
echo "$text.$(printf '%s' "$text" | openssl dgst -sha256 -sign "/root/$1.key" -binary | b64)"
"#;

pub(super) struct Issuer<'a> {
    host: &'a Host,
    /// As tokens and the spec name it.
    pub(super) url: String,
}

impl<'a> Issuer<'a> {
    /// Starts one on the host `on`, and writes the certificate that it shows beside the spec, as `issuer.crt`.
    pub(super) fn start(site: &'a Site, on: &str) -> Self {
        let host = site.desk.host(on);
        host.write_file("/root/prepare", PREPARE).unwrap();
        host.write_file("/root/sign", SIGN).unwrap();
        let address = host.address();
        host.run(&format!("bash /root/prepare {address}")).unwrap();
        let certificate = host.run("cat /root/issuer.crt").unwrap();
        std::fs::write(site.desk.path("issuer.crt"), certificate).unwrap();
        Self {
            host,
            url: format!("https://{address}:8443"),
        }
    }

    /// A token for jane, who deploys, with `more` claims; `key` is `own`, or `foreign` for one that the issuer does not know.
    fn token(&self, key: &str, more: &str) -> String {
        let claims = format!(
            r#"{{"iss":"{}","aud":"kubernetes","sub":"jane","groups":["deployers"],"exp":'$(($(date +%s) + 600))'{more}}}"#,
            self.url
        );
        let token = self.host.run(&format!("bash /root/sign {key} '{claims}'"));
        token.unwrap().trim().to_owned()
    }

    /// Whoever shows a good token is who it says; other tokens are nobody's. `on` is a control plane.
    pub(super) fn lets_in_its_own(&self, site: &Site, on: &str) {
        const DOMAIN: &str = r#","hd":"example.com""#;
        let whoever = |token: &str| {
            let ask = format!(
                "curl --silent --http1.1 -k -X POST -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d \
                 '{{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}}' \
                 https://127.0.0.1:6443/apis/authentication.k8s.io/v1/selfsubjectreviews"
            );
            let said = site.desk.host(on).run(&ask).unwrap();
            serde_json::from_str::<serde_json::Value>(&said).unwrap()
        };
        let good = self.token("own", DOMAIN);
        super::site::eventually(
            "the API server knows the issuer",
            std::time::Duration::from_secs(60),
            || whoever(&good)["code"] != 401,
        );
        let said = whoever(&good);
        let user = &said["status"]["userInfo"];
        assert_eq!(user["username"], "oidc:jane", "{said:#}");
        let groups = serde_json::json!(["oidc:deployers", "system:authenticated"]);
        assert_eq!(user["groups"], groups, "{said:#}");
        for (what, token) in [
            ("another key", self.token("foreign", DOMAIN)),
            ("another domain", self.token("own", r#","hd":"example.org""#)),
            ("no domain", self.token("own", "")),
        ] {
            assert_eq!(whoever(&token)["code"], 401, "{what}");
        }
    }
}
