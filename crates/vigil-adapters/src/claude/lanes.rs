//! Lanes: the main loop and the loops of sub-agents, known by the tool call that started them or their own id.

use super::ids::key;
use super::records::{Cursor, Lane, LaneId, MAIN};
use super::session::{LANE_LIMIT, Session, Source};
use vigil_core::fact::UnixNanos;

impl Session {
    /// The lane of a sub-agent, by the tool call that started it or its own id, made when it is new. `None`
    /// when there are too many.
    pub(crate) fn sub_lane(&mut self, tool_use: Option<&str>, agent: Option<&str>) -> Option<LaneId> {
        let by_tool = tool_use.and_then(|id| self.lane_by_tool.get(&key(id)).copied());
        let by_agent = agent.and_then(|id| self.lane_by_agent.get(&key(id)).copied());
        let lane = match (by_tool, by_agent) {
            (Some(known), Some(other)) if known != other => {
                self.merge_lanes(known, other);
                known
            }
            (Some(known), _) | (None, Some(known)) => known,
            (None, None) => {
                if tool_use.is_none() && agent.is_none() {
                    return None;
                }
                if self.lanes.len() >= LANE_LIMIT {
                    self.forget_oldest_lanes();
                }
                if self.lanes.len() >= LANE_LIMIT {
                    self.tell_oldest_chats();
                    self.tell_oldest_tools();
                    self.forget_oldest_lanes();
                }
                if self.lanes.len() >= LANE_LIMIT {
                    return None;
                }
                let lane = self.next_lane;
                self.next_lane += 1;
                self.lanes.insert(lane, Box::new(Lane { run: self.run_index(), ..Lane::default() }));
                lane
            }
        };
        if let Some(tool_use) = tool_use {
            self.lane_by_tool.insert(key(tool_use), lane);
        }
        if let Some(agent) = agent {
            self.lane_by_agent.insert(key(agent), lane);
        }
        let started = tool_use.and_then(|id| self.tools.get(&key(id))).map(|tool| (tool.run, tool.time.start));
        let record = self.lanes.get_mut(&lane)?;
        if record.agent.is_none() {
            record.agent = agent.map(Into::into);
        }
        if let Some(tool_use) = tool_use
            && record.tool_use.is_none()
        {
            record.tool_use = Some(tool_use.into());
            record.has_task = true;
            let placed = record.open > 0;
            if let Some((run, time)) = started {
                record.run = run;
                record.stream.last = record.stream.last.or(time);
                record.transcript.last = record.transcript.last.or(time);
            }
            self.tell_sub_agent_started(lane);
            if placed {
                self.touch_lane(lane);
            }
        }
        Some(lane)
    }

    /// The lane of an agent, if it is known.
    pub(crate) fn lane_of_agent(&self, agent: &str) -> Option<LaneId> {
        self.lane_by_agent.get(&key(agent)).copied()
    }

    /// The lane a tool call started, if it is known.
    pub(crate) fn lane_of_tool(&self, tool_use: &str) -> Option<LaneId> {
        self.lane_by_tool.get(&key(tool_use)).copied()
    }

    /// Says that two lanes are the same sub-agent, told by different ids.
    pub(crate) fn merge_lanes(&mut self, kept: LaneId, other: LaneId) {
        if kept == other || kept == MAIN || other == MAIN {
            return;
        }
        let Some(gone) = self.lanes.remove(&other) else { return };
        for lane in self.lane_by_agent.values_mut().chain(self.lane_by_tool.values_mut()).filter(|lane| **lane == other)
        {
            *lane = kept;
        }
        for chat in self.chats.values_mut().filter(|chat| chat.lane == other) {
            chat.lane = kept;
        }
        for tool in self.tools.values_mut().filter(|tool| tool.lane == other) {
            tool.lane = kept;
        }
        let Some(lane) = self.lanes.get_mut(&kept) else { return };
        lane.time.hold_all(gone.time);
        lane.open += gone.open;
        lane.has_task |= gone.has_task;
        lane.asynchronous |= gone.asynchronous;
        lane.agent = lane.agent.take().or(gone.agent);
        lane.kind_name = lane.kind_name.take().or(gone.kind_name);
        lane.finished = lane.finished.take().or(gone.finished);
        if gone.transcript.chat.is_some() {
            lane.transcript = gone.transcript;
        }
        self.touch_lane(kept);
    }

    /// It became known whose sub-agent a lane is: what waits in it may be complete.
    fn touch_lane(&mut self, lane: LaneId) {
        let chats = self.chats.iter().filter(|(_, chat)| chat.lane == lane).map(|(key, _)| *key);
        let tools = self.tools.iter().filter(|(_, tool)| tool.lane == lane).map(|(key, _)| *key);
        self.touched.extend(chats.chain(tools));
    }

    /// Too many sub-agents are kept: the oldest of which nothing is open are told and forgotten.
    fn forget_oldest_lanes(&mut self) {
        let mut lanes: Vec<LaneId> =
            self.lanes.iter().filter(|(id, lane)| **id != MAIN && lane.open == 0).map(|(id, _)| *id).collect();
        lanes.sort_unstable();
        for lane in lanes.into_iter().take(LANE_LIMIT / 8) {
            self.tell_sub_agent(lane);
            self.lanes.remove(&lane);
        }
        let lanes = &self.lanes;
        self.lane_by_tool.retain(|_, lane| lanes.contains_key(lane));
        self.lane_by_agent.retain(|_, lane| lanes.contains_key(lane));
    }

    pub(crate) fn cursor(&mut self, lane: LaneId, source: Source) -> &mut Cursor {
        let lane = self.lanes.entry(lane).or_default();
        match source {
            Source::Stream => &mut lane.stream,
            Source::Transcript => &mut lane.transcript,
        }
    }

    /// A model call can follow from what happened now.
    pub(crate) fn advance(&mut self, lane: LaneId, source: Source, time: Option<UnixNanos>) {
        if let Some(time) = time {
            self.cursor(lane, source).last = Some(time);
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.time.hold(Some(time));
            }
        }
    }
}
