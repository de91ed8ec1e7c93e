//! Reading a response: its head by `httparse`, its body by its framing (RFC 9112, section 6).

use serde::de::DeserializeOwned;

use super::{Connection, Error};

/// More fields than this in one response are taken for a mistake.
const MAX_HEADERS: usize = 1000;

/// A response as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields, in their order and spelling.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without the framing of a chunked one.
    pub body: Vec<u8>,
}

impl Response {
    /// All values of a header field, whatever the case of its name; bytes that aren't UTF-8 are replaced.
    pub fn header(&self, name: &str) -> Vec<String> {
        self.headers
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The body as text; bytes that aren't UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// If it isn't JSON, or not of this type.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }
}

/// Reads the final response; interim ones (1xx) are passed over.
pub(super) fn read(connection: &mut Connection, head_only: bool) -> Result<Response, Error> {
    read_next(connection, &mut Vec::new(), head_only)
}

/// As [`read`], where other responses may follow: what came of them stays in the buffer.
pub(super) fn read_next(
    connection: &mut Connection,
    buffer: &mut Vec<u8>,
    head_only: bool,
) -> Result<Response, Error> {
    loop {
        let mut response = read_head(connection, buffer)?;
        if (100..200).contains(&response.status) {
            continue;
        }
        if !head_only && !matches!(response.status, 204 | 304) {
            response.body = read_body(connection, buffer, &response)?;
        }
        return Ok(response);
    }
}

/// Takes a head from the front of the buffer, reading more as needed.
fn read_head(connection: &mut Connection, buffer: &mut Vec<u8>) -> Result<Response, Error> {
    loop {
        let mut fields = vec![httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut fields);
        if let httparse::Status::Complete(length) = head.parse(buffer).map_err(malformed)? {
            let response = Response {
                status: head.code.unwrap_or_default(),
                headers: head
                    .headers
                    .iter()
                    .map(|field| (field.name.to_owned(), field.value.to_vec()))
                    .collect(),
                body: Vec::new(),
            };
            buffer.drain(..length);
            return Ok(response);
        }
        if !connection.read(buffer)? {
            return Err(if buffer.is_empty() {
                Error::NoResponse
            } else {
                Error::Incomplete
            });
        }
    }
}

fn read_body(
    connection: &mut Connection,
    buffer: &mut Vec<u8>,
    head: &Response,
) -> Result<Vec<u8>, Error> {
    let chunked = head
        .header("transfer-encoding")
        .iter()
        .any(|coding| coding.eq_ignore_ascii_case("chunked"));
    if chunked {
        return read_chunked(connection, buffer);
    }
    if let Some(length) = head.header("content-length").first() {
        let length = length.parse().map_err(malformed)?;
        fill(connection, buffer, length)?;
        Ok(buffer.drain(..length).collect())
    } else {
        while connection.read(buffer)? {}
        Ok(std::mem::take(buffer))
    }
}

/// Reads up to the last chunk and the trailer fields after it, which are passed over.
fn read_chunked(connection: &mut Connection, buffer: &mut Vec<u8>) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        let parsed = httparse::parse_chunk_size(buffer);
        match parsed.map_err(|_| Error::Malformed("a chunk without a size".to_owned()))? {
            httparse::Status::Partial => fill_one(connection, buffer)?,
            httparse::Status::Complete((start, 0)) => {
                buffer.drain(..start);
                skip_trailers(connection, buffer)?;
                return Ok(body);
            }
            httparse::Status::Complete((start, size)) => {
                let end = usize::try_from(size)
                    .ok()
                    .and_then(|size| start.checked_add(size))
                    .ok_or_else(|| Error::Malformed(format!("a chunk of {size} bytes")))?;
                // The chunk's own end of line comes after it.
                fill(connection, buffer, end + 2)?;
                body.extend(&buffer[start..end]);
                buffer.drain(..end + 2);
            }
        }
    }
}

/// Reads to the empty line that ends the trailer fields, or to the end of a stream that ends before.
fn skip_trailers(connection: &mut Connection, buffer: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            buffer.drain(..end + 2);
            if end == 0 {
                return Ok(());
            }
        }
        if !connection.read(buffer)? {
            return Ok(());
        }
    }
}

fn fill(connection: &mut Connection, buffer: &mut Vec<u8>, length: usize) -> Result<(), Error> {
    while buffer.len() < length {
        fill_one(connection, buffer)?;
    }
    Ok(())
}

fn fill_one(connection: &mut Connection, buffer: &mut Vec<u8>) -> Result<(), Error> {
    if connection.read(buffer)? {
        Ok(())
    } else {
        Err(Error::Incomplete)
    }
}

fn malformed(error: impl std::fmt::Display) -> Error {
    Error::Malformed(error.to_string())
}
