//! How long a server asks to be left alone: `Retry-After` (RFC 9110, section 10.2.3), within bounds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The rest that the headers of an answer ask for (`Retry-After`), at most `most`; none if they ask for none, or
/// not as the RFC has it. A date counts from the answer's own `Date`, so that two clocks need not agree;
/// without one from `now`, ms since the Unix epoch.
#[must_use]
pub fn rest_asked_for(headers: &HeaderMap, now: u64, most: Duration) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let rest = if is_number {
        // A number that is too large to be one is a long time.
        text.parse().map_or(most, Duration::from_secs)
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let from = date(headers, DATE).or_else(|| {
            let now = Duration::from_millis(now);
            UNIX_EPOCH.checked_add(now)
        });
        until.duration_since(from?).unwrap_or_default()
    };
    Some(rest.min(most))
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    let text = headers.get(name)?.to_str().ok()?;
    httpdate::parse_http_date(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    /// P07: in seconds, and as each of the three dates that HTTP has.
    #[test]
    fn p07_a_rest_is_read_in_every_form_and_bounded() {
        // Sun, 06 Nov 1994 08:49:37 GMT.
        let now = 784_111_777_000;
        for (text, seconds) in [
            ("3600", Some(3_600)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:00:00 GMT", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let found = rest_asked_for(&headers(&[(RETRY_AFTER, text)]), now, DAY);
            assert_eq!(found, seconds.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(rest_asked_for(&HeaderMap::new(), now, DAY), None);
        // The server's clock is an hour ahead.
        let ahead = headers(&[
            (RETRY_AFTER, "Sun, 06 Nov 1994 09:49:47 GMT"),
            (DATE, "Sun, 06 Nov 1994 09:49:37 GMT"),
        ]);
        let rest = rest_asked_for(&ahead, now, DAY);
        assert_eq!(rest, Some(Duration::from_secs(10)));
    }
}
