//! `Edm.DateTimeOffset` text ⇄ an instant in 100 ns ticks and its offset (PROTOCOL 9, 43-48, 120; b-17).
//!
//! chrono's own serde is not used: it pads fractions to 3, 6 or 9 digits, refuses a time without
//! seconds and accepts a space for the `T`.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, Timelike};

/// 100 ns ticks in a second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Days from 0001-01-01 to 9999-12-31.
const LAST_DAY: i64 = 3_652_058;
const MAX_OFFSET_MINUTES: i32 = 14 * 60;
const MAX_TICKS: i64 = (LAST_DAY + 1) * SECONDS_PER_DAY * TICKS_PER_SECOND - 1;
/// Nanoseconds in a tick.
const NANOS: u32 = 100;

/// An instant of the years 1 to 9999 at 100 ns, with the offset it was written in.
///
/// Two values are equal when both instant and offset are; order them by [`ticks`](Self::ticks).
/// Its text is OData's `dateTimeOffsetValue` with at most 7 fraction digits, trailing zeros trimmed
/// and `Z` for a zero offset.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    ticks: i64,
    offset: i16,
}

/// Why a text or a date is not a [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampError {
    /// The text does not follow `YYYY-MM-DDThh:mm[:ss[.fffffff]](Z|±hh:mm)`.
    Malformed,
    /// The day, time or offset does not exist, or lies outside the years 1 to 9999.
    OutOfRange,
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => {
                "must be a date and time with an offset, YYYY-MM-DDThh:mm[:ss[.f{1,9}]] and Z or ±hh:mm"
            }
            Self::OutOfRange => "must exist, lie within the years 1 to 9999 and have an offset within ±14:00",
        })
    }
}

impl std::error::Error for TimestampError {}

impl Timestamp {
    /// From ticks of 100 ns since 0001-01-01T00:00Z and an offset in minutes.
    pub fn new(ticks: i64, offset_minutes: i16) -> Result<Self, TimestampError> {
        let stamp = Self { ticks, offset: offset_minutes };
        let within = (0..=MAX_TICKS).contains(&ticks)
            && i32::from(offset_minutes).abs() <= MAX_OFFSET_MINUTES
            && stamp.local_ticks().is_some_and(|local| (0..=MAX_TICKS).contains(&local));
        if within { Ok(stamp) } else { Err(TimestampError::OutOfRange) }
    }

    /// Ticks of 100 ns since 0001-01-01T00:00Z.
    pub fn ticks(self) -> i64 {
        self.ticks
    }

    /// Minutes east of UTC.
    pub fn offset_minutes(self) -> i16 {
        self.offset
    }

    /// The same date and time for chrono.
    pub fn to_datetime(self) -> DateTime<FixedOffset> {
        self.into()
    }

    /// The later of two instants; `self` if they are the same.
    pub(crate) fn max(self, other: Self) -> Self {
        if other.ticks > self.ticks { other } else { self }
    }

    /// One tick later, where one is left.
    pub(crate) fn next_tick(self) -> Self {
        Self::new(self.ticks.saturating_add(1), self.offset).unwrap_or(self)
    }

    /// Whether `other` is this instant, or this instant cut or rounded to 3 or 6 digits, as clients
    /// with millisecond and microsecond clocks send it back (PROTOCOL 67).
    pub(crate) fn is_echoed_by(self, other: Self) -> bool {
        self.ticks == other.ticks
            || [TICKS_PER_SECOND / 1_000, TICKS_PER_SECOND / 1_000_000].into_iter().any(|unit| {
                let cut = self.ticks.saturating_sub(self.ticks.rem_euclid(unit));
                let half = unit / 2;
                let rounded = if self.ticks.rem_euclid(unit) >= half { cut.saturating_add(unit) } else { cut };
                other.ticks == cut || other.ticks == rounded
            })
    }

    fn local_ticks(self) -> Option<i64> {
        i64::from(self.offset).checked_mul(60 * TICKS_PER_SECOND)?.checked_add(self.ticks)
    }
}

impl TryFrom<DateTime<FixedOffset>> for Timestamp {
    type Error = TimestampError;

    /// Cuts below 100 ns; an offset with seconds is out of range.
    fn try_from(date: DateTime<FixedOffset>) -> Result<Self, TimestampError> {
        let seconds = date.offset().local_minus_utc();
        if seconds % 60 != 0 {
            return Err(TimestampError::OutOfRange);
        }
        let offset = i16::try_from(seconds / 60).map_err(|_| TimestampError::OutOfRange)?;
        let utc = date.naive_utc();
        let day = i64::from(chrono::Datelike::num_days_from_ce(&utc.date()));
        let second = i64::from(utc.time().num_seconds_from_midnight());
        let fraction = i64::from(utc.time().nanosecond() / NANOS);
        let ticks = ticks_of(day.saturating_sub(1), second, fraction).ok_or(TimestampError::OutOfRange)?;
        Self::new(ticks, offset)
    }
}

impl From<Timestamp> for DateTime<FixedOffset> {
    fn from(stamp: Timestamp) -> Self {
        // 0001-01-01 is this many seconds before the Unix epoch; both steps stay in chrono's range.
        const EPOCH: i64 = 62_135_596_800;
        let seconds = stamp.ticks.div_euclid(TICKS_PER_SECOND).saturating_sub(EPOCH);
        let nanos = u32::try_from(stamp.ticks.rem_euclid(TICKS_PER_SECOND)).unwrap_or(0).saturating_mul(NANOS);
        let utc = DateTime::from_timestamp(seconds, nanos).unwrap_or_default();
        match FixedOffset::east_opt(i32::from(stamp.offset).saturating_mul(60)) {
            Some(offset) => utc.with_timezone(&offset),
            None => utc.fixed_offset(),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.to_datetime().naive_local();
        write!(f, "{}", local.format("%Y-%m-%dT%H:%M:%S"))?;
        let fraction = local.time().nanosecond() % 1_000_000_000 / NANOS;
        if fraction != 0 {
            let digits = format!("{fraction:07}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if self.offset == 0 {
            return f.write_str("Z");
        }
        let (sign, minutes) = (if self.offset < 0 { '-' } else { '+' }, self.offset.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// OData ABNF `dateTimeOffsetValue`: seconds are optional, `T` and `Z` in either case, `:60` is
    /// the next second, digits 8 and 9 of the fraction are cut, more are malformed.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let mut scan = Scan { rest: text.as_bytes() };
        let year = scan.number(4)?;
        scan.one_of(b"-")?;
        let month = scan.number(2)?;
        scan.one_of(b"-")?;
        let day = scan.number(2)?;
        scan.one_of(b"Tt")?;
        let hour = scan.number(2)?;
        scan.one_of(b":")?;
        let minute = scan.number(2)?;
        let (mut second, mut fraction) = (0, 0);
        if scan.one_of(b":").is_ok() {
            second = scan.number(2)?;
            if scan.one_of(b".").is_ok() {
                fraction = scan.fraction()?;
            }
        }
        let offset = scan.offset()?;
        if !scan.rest.is_empty() {
            return Err(TimestampError::Malformed);
        }
        let year = i32::try_from(year).map_err(|_| TimestampError::OutOfRange)?;
        let date = NaiveDate::from_ymd_opt(year, month, day).ok_or(TimestampError::OutOfRange)?;
        // `:60` is the second after `:59`; the sum carries it over into the next minute, hour, day.
        let time = NaiveTime::from_hms_opt(hour, minute, second.min(59)).ok_or(TimestampError::OutOfRange)?;
        let leap = match second {
            0..=59 => 0,
            60 => 1,
            _ => return Err(TimestampError::OutOfRange),
        };
        let seconds = i64::from(time.num_seconds_from_midnight())
            .saturating_add(leap)
            .saturating_sub(i64::from(offset).saturating_mul(60));
        let days = i64::from(chrono::Datelike::num_days_from_ce(&date)).saturating_sub(1);
        let ticks = ticks_of(days, seconds, fraction).ok_or(TimestampError::OutOfRange)?;
        Self::new(ticks, offset)
    }
}

fn ticks_of(days: i64, seconds: i64, fraction: i64) -> Option<i64> {
    let seconds = days.checked_mul(SECONDS_PER_DAY)?.checked_add(seconds)?;
    seconds.checked_mul(TICKS_PER_SECOND)?.checked_add(fraction)
}

/// What is left of the text.
struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    fn one_of(&mut self, set: &[u8]) -> Result<u8, TimestampError> {
        match self.rest.split_first() {
            Some((first, rest)) if set.contains(first) => {
                self.rest = rest;
                Ok(*first)
            }
            _ => Err(TimestampError::Malformed),
        }
    }

    fn digit(&mut self) -> Result<u32, TimestampError> {
        self.one_of(b"0123456789").map(|digit| u32::from(digit.saturating_sub(b'0')))
    }

    fn number(&mut self, digits: usize) -> Result<u32, TimestampError> {
        (0..digits).try_fold(0_u32, |sum, _| Ok(sum.saturating_mul(10).saturating_add(self.digit()?)))
    }

    /// 1 to 9 digits as ticks.
    fn fraction(&mut self) -> Result<i64, TimestampError> {
        let mut ticks = i64::from(self.digit()?).saturating_mul(TICKS_PER_SECOND / 10);
        let mut unit = TICKS_PER_SECOND / 100;
        for _ in 1..9 {
            let Ok(digit) = self.digit() else { return Ok(ticks) };
            ticks = ticks.saturating_add(i64::from(digit).saturating_mul(unit));
            unit /= 10;
        }
        Ok(ticks)
    }

    /// Minutes east of UTC.
    fn offset(&mut self) -> Result<i16, TimestampError> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hours = self.number(2)?;
        self.one_of(b":")?;
        let minutes = self.number(2)?;
        if hours > 14 || minutes > 59 {
            return Err(TimestampError::OutOfRange);
        }
        let total = i16::try_from(hours.saturating_mul(60).saturating_add(minutes)).unwrap_or(i16::MAX);
        Ok(total.saturating_mul(sign))
    }
}
