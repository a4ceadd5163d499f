//! What a destination gets next, and how far it is.

use super::super::cursor::{DestinationId, Place};
use super::super::frame::Head;
use super::super::segment::{self, START, Tally};
use super::{Folder, Hand, NEVER, Segment};
use crate::encode::Signal;
use std::io;
use std::path::PathBuf;

impl Folder {
    pub(in super::super) fn has(&self, id: DestinationId) -> bool {
        self.reader(id).is_some()
    }

    pub(super) fn reader(&self, id: DestinationId) -> Option<usize> {
        self.readers.iter().position(|reader| reader.cursor.id == id)
    }

    /// Where the next batch of `signal` for a destination is, if there is one.
    pub(in super::super) fn peek(&mut self, id: DestinationId, signal: Signal) -> Option<(PathBuf, Place)> {
        let index = self.reader(id)?;
        self.advance(index, signal);
        let place = self.readers.get(index)?.cursor.places[signal.index()];
        let segment = self.streams[signal.index()].segments.iter().find(|one| one.number == place.segment)?;
        let something = place.offset < segment.end;
        something.then(|| (self.path.join(segment::file_name(signal, place.segment)), place))
    }

    /// Moves a reader from the end of a segment to the beginning of the next, and past segments that are gone.
    pub(super) fn advance(&mut self, reader: usize, signal: Signal) {
        let segments = &self.streams[signal.index()].segments;
        let Some(reader) = self.readers.get_mut(reader) else { return };
        let place = &mut reader.cursor.places[signal.index()];
        if *place == NEVER {
            return;
        }
        let at_end = |one: &Segment| one.number == place.segment && place.offset >= one.end;
        let behind = !segments.iter().any(|one| one.number == place.segment) || segments.iter().any(at_end);
        let next = segments.iter().find(|one| one.number > place.segment);
        if let Some(next) = next.filter(|_| behind) {
            *place = Place { segment: next.number, offset: START };
            reader.passed[signal.index()] = Tally::default();
        }
    }

    /// The batch at `place` is being delivered; false when the reader is not there any more.
    pub(in super::super) fn take(&mut self, id: DestinationId, signal: Signal, place: Place, head: &Head) -> bool {
        let Some(reader) = self.reader(id).and_then(|index| self.readers.get_mut(index)) else { return false };
        if reader.cursor.places[signal.index()] != place {
            return false;
        }
        let end = Place { offset: place.offset + head.frame_bytes(), ..place };
        reader.in_hand[signal.index()] = Some(Hand { end, tally: Tally::batch(head.records) });
        true
    }

    /// The batch in hand has its verdict: the cursor moves past it, and what nobody needs any more is deleted.
    pub(in super::super) fn settle(&mut self, id: DestinationId, signal: Signal) -> io::Result<()> {
        let Some(index) = self.reader(id) else { return Ok(()) };
        let Some(reader) = self.readers.get_mut(index) else { return Ok(()) };
        let Some(hand) = reader.in_hand[signal.index()].take() else { return Ok(()) };
        self.pass(index, signal, hand.end, hand.tally)
    }

    fn pass(&mut self, reader: usize, signal: Signal, end: Place, tally: Tally) -> io::Result<()> {
        if let Some(reader) = self.readers.get_mut(reader) {
            let place = &mut reader.cursor.places[signal.index()];
            // The segment may have been evicted while its batch was under way, and the reader moved on.
            if place.segment <= end.segment {
                if place.segment == end.segment {
                    reader.passed[signal.index()].add(tally);
                } else {
                    reader.passed[signal.index()] = tally;
                }
                *place = end;
            }
        }
        self.advance(reader, signal);
        if let Some(reader) = self.readers.get_mut(reader) {
            reader.cursor.persist()?;
        }
        self.release(signal)
    }

    /// Whether a batch of `signal` for a destination is being delivered.
    pub(in super::super) fn has_in_hand(&self, id: DestinationId, signal: Signal) -> bool {
        self.readers.iter().any(|reader| reader.cursor.id == id && reader.in_hand[signal.index()].is_some())
    }

    pub(in super::super) fn has_anything_in_hand(&self) -> bool {
        self.readers.iter().any(|reader| reader.in_hand.iter().any(Option::is_some))
    }

    /// Passes over the batch at `place`, whose body does not read back.
    pub(in super::super) fn skip(
        &mut self,
        id: DestinationId,
        signal: Signal,
        place: Place,
        head: &Head,
    ) -> io::Result<Tally> {
        let Some(index) = self.reader(id) else { return Ok(Tally::default()) };
        self.mark_damaged(signal, place.segment);
        let tally = Tally::batch(head.records);
        self.pass(index, signal, Place { offset: place.offset + head.frame_bytes(), ..place }, tally)?;
        Ok(tally)
    }

    /// Passes over the rest of the segment at `place`, which cannot be read. `gone` when there is no file any more.
    pub(in super::super) fn skip_rest(
        &mut self,
        id: DestinationId,
        signal: Signal,
        place: Place,
        gone: bool,
    ) -> io::Result<Tally> {
        let Some(index) = self.reader(id) else { return Ok(Tally::default()) };
        let passed = self.readers.get(index).map(|reader| reader.passed[signal.index()]).unwrap_or_default();
        let stream = &mut self.streams[signal.index()];
        let Some(segment) = stream.segments.iter_mut().find(|one| one.number == place.segment) else {
            return Ok(Tally::default());
        };
        let left = segment.tally.minus(passed);
        if gone {
            segment.end = segment.end.min(place.offset);
        } else {
            segment.damaged = true;
        }
        // One that is still written to must not be; what comes goes into another.
        if stream.segments.back().is_some_and(|last| last.number == place.segment) {
            stream.open = None;
        }
        self.pass(index, signal, Place { offset: u64::MAX, ..place }, left)?;
        Ok(left)
    }

    fn mark_damaged(&mut self, signal: Signal, number: u64) {
        let segments = &mut self.streams[signal.index()].segments;
        segments.iter_mut().filter(|one| one.number == number).for_each(|one| one.damaged = true);
    }
}
