//! Signatures of version 4, computed from what arrived, as a server does:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.

use aws_lc_rs::{digest, hmac};

use crate::emulator::{ACCESS_KEY, SECRET};
use crate::proxy::Request;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Says what is wrong with the signature of a request.
pub(crate) fn verify(request: &Request) -> Result<(), String> {
    let authorization = request.field("authorization").ok_or("it is not signed")?;
    let rest = authorization
        .strip_prefix(ALGORITHM)
        .ok_or("it is signed in another way")?;
    let part = |name: &str| {
        let mut parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
        let found = parts.find(|(key, _)| *key == name);
        found
            .map(|(_, value)| value.to_owned())
            .ok_or(format!("{name} is missing"))
    };
    let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let scope: Vec<&str> = credential.split('/').collect();
    let [ACCESS_KEY, day, region, "s3", "aws4_request"] = scope[..] else {
        return Err(format!("{credential} is not the credential"));
    };
    let date = request.field("x-amz-date").ok_or("x-amz-date is missing")?;
    if !date.starts_with(day) {
        return Err("it is of another day".to_owned());
    }
    let hash = request
        .field("x-amz-content-sha256")
        .ok_or("x-amz-content-sha256 is missing")?;
    if hash != "UNSIGNED-PAYLOAD" && hash != hex(digest::digest(&digest::SHA256, &request.body).as_ref()) {
        return Err("the body is another one".to_owned());
    }
    let canonical = canonical_request(request, &signed, hash)?;
    let canonical_hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("{ALGORITHM}\n{date}\n{day}/{region}/s3/aws4_request\n{canonical_hash}");
    let key = format!("AWS4{SECRET}").into_bytes();
    let key = [day, region, "s3", "aws4_request"]
        .iter()
        .fold(key, |key, text| hmac_of(&key, text));
    if hex(&hmac_of(&key, &to_sign)) == signature {
        Ok(())
    } else {
        Err(format!("the signature is another one for\n{canonical}"))
    }
}

fn canonical_request(request: &Request, signed: &str, hash: &str) -> Result<String, String> {
    let names: Vec<&str> = signed.split(';').collect();
    let is_signed = |name: &str| names.contains(&name.to_ascii_lowercase().as_str());
    let must_be = |name: &str| {
        let name = name.to_ascii_lowercase();
        name == "host" || name.starts_with("x-amz-")
    };
    if let Some((name, _)) = request
        .fields
        .iter()
        .find(|(name, _)| must_be(name) && !is_signed(name))
    {
        return Err(format!("{name} is not signed"));
    }
    let mut fields = String::new();
    for name in &names {
        let value = request
            .field(name)
            .ok_or(format!("{name} is signed and missing"))?;
        let value: Vec<&str> = value.split_whitespace().collect();
        fields.extend([name, ":", &value.join(" "), "\n"]);
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut parameters: Vec<(String, String)> = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        parameters.push((encode(&decode(name)?, false), encode(&decode(value)?, false)));
    }
    parameters.sort();
    let parameters: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (method, path) = (&request.method, encode(&decode(path)?, true));
    let query = parameters.join("&");
    Ok(format!("{method}\n{path}\n{query}\n{fields}\n{signed}\n{hash}"))
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next(), bytes.next()].map(|digit| digit.map(char::from));
            let [Some(high), Some(low)] = digits else {
                return Err(format!("{text} ends in the middle of a byte"));
            };
            let byte = u8::from_str_radix(&format!("{high}{low}"), 16);
            decoded.push(byte.map_err(|error| error.to_string())?);
        } else {
            decoded.push(byte);
        }
    }
    Ok(decoded)
}

fn encode(bytes: &[u8], keeps_slashes: bool) -> String {
    let mut encoded = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keeps_slashes && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex(&[byte]).to_uppercase());
        }
    }
    encoded
}

fn hmac_of(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// The example of AWS: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, "GET Bucket
/// (List Objects)".
#[test]
fn the_canonical_request_is_that_of_the_documentation() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let fields = [
        ("Host", "examplebucket.s3.amazonaws.com"),
        ("x-amz-content-sha256", empty),
        ("x-amz-date", "20130524T000000Z"),
    ];
    let request = Request {
        method: "GET".to_owned(),
        target: "/?prefix=J&max-keys=2".to_owned(),
        fields: fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: Vec::new(),
    };
    let canonical = canonical_request(&request, "host;x-amz-content-sha256;x-amz-date", empty).unwrap();
    assert_eq!(
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()),
        "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7"
    );
    let key = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_vec();
    let scope = ["20130524", "us-east-1", "s3", "aws4_request"];
    let key = scope.iter().fold(key, |key, text| hmac_of(&key, text));
    let to_sign = "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n\
                   df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7";
    assert_eq!(
        hex(&hmac_of(&key, to_sign)),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    );
}
