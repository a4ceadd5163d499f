//! Tool calls, their results, and what a result tells of the sub-agent it started.

use super::ids::key;
use super::records::{LaneId, MAIN, Standing, Stretch, Tool, ToolContent, ToolEnd};
use super::session::{OPEN_LIMIT, Session, Source};
use super::wire;
use crate::lenient::Record as _;
use vigil_core::fact::{Outcome, UnixNanos};
use vigil_core::vocab::{Decision, ErrorType};

impl Session {
    pub(crate) fn tool_use(&mut self, lane: LaneId, message: &str, block: &wire::Block<'_>, time: Option<UnixNanos>) {
        let Some(id) = block.id.some() else { return };
        let tool_key = key(id);
        if self.told.contains(tool_key) {
            return;
        }
        let name = block.name.some().unwrap_or("unknown");
        if let Some(tool) = self.tools.get_mut(&tool_key) {
            tool.time.start = tool.time.start.or(time);
            self.touched.push(tool_key);
        } else {
            if self.tools.len() >= OPEN_LIMIT {
                self.tell_oldest_tools();
            }
            let (turn, parent_turn) = match self.chats.get(&key(message)) {
                Some(chat) => (chat.turn, chat.parent_turn),
                None if lane == MAIN => self.turn_for(message),
                None => (0, None),
            };
            let order = self.order();
            let run = if lane == MAIN { self.run_index() } else { self.lanes.get(&lane).map_or(0, |lane| lane.run) };
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.open += 1;
            }
            let mut content = ToolContent::default();
            if self.options.capture_content {
                content.arguments = content.keep(block.input.json(), &mut self.content_bytes);
            }
            self.tools.insert(
                tool_key,
                Box::new(Tool {
                    order,
                    id: id.into(),
                    name: name.into(),
                    lane,
                    run,
                    turn,
                    parent_turn,
                    time: Stretch { start: time, end: None },
                    content,
                    decision: None,
                    decision_source: None,
                    end: None,
                }),
            );
            self.tell_tool_started(tool_key);
        }
        if matches!(name, "Task" | "Agent")
            && let Some(sub) = self.sub_lane(Some(id), None)
            && let Some(sub) = self.lanes.get_mut(&sub)
        {
            sub.time.hold(time);
            let input: wire::ToolInput<'_> =
                block.input.json().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
            if let Some(kind_name) = input.subagent_type.some() {
                sub.kind_name = Some(kind_name.into());
            }
        }
    }

    pub(crate) fn denied(&mut self, tool_use: &str) {
        if let Some(tool) = self.tools.get_mut(&key(tool_use)) {
            tool.decision = Some(Decision::Reject);
        }
    }

    /// A user's message that holds results of tools. Returns whether it held one.
    pub(crate) fn tool_results(
        &mut self,
        lane: LaneId,
        source: Source,
        line: &wire::Line<'_>,
        time: Option<UnixNanos>,
    ) -> bool {
        let (mut any, mut happened) = (false, false);
        for block in &line.message.content.blocks.0 {
            if block.kind.or_empty() != "tool_result" {
                continue;
            }
            any = true;
            // The next process writes this for a call that its own died with: no time of it is the call's.
            if block.text.starts_with("[Tool call interrupted: the session ended") {
                continue;
            }
            happened = true;
            if let Some(id) = block.tool_use_id.some() {
                self.tool_result(id, block, line, time);
            }
        }
        if happened {
            self.advance(lane, source, time);
            if lane == MAIN {
                self.run().standing = Standing::Waiting;
            }
        }
        any
    }

    fn tool_result(&mut self, id: &str, block: &wire::Block<'_>, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let meta = line.tool_result_meta.0.iter().find(|meta| meta.id.get() == Some(id));
        let decision = meta.map(|meta| &meta.permission_decision).filter(|decision| decision.is_present());
        let decision = decision.unwrap_or(&line.permission_decision);
        let failed = block.is_error.is_set();
        if let Some(tool) = self.tools.get_mut(&key(id)) {
            if let Some(word) = decision.decision.get().and_then(|word| word.parse().ok()) {
                tool.decision = Some(word);
                tool.decision_source = decision.source.some().map(Into::into);
            }
            tool.time.end = tool.time.end.or(time);
            if self.options.capture_content && tool.end.is_none() {
                tool.content.result = tool.content.keep(block.text.json(), &mut self.content_bytes);
            }
            let stopped = line.tool_use_result.rejected
                || meta.is_some_and(|meta| meta.non_execution_kind.get() == Some("user-rejected"));
            let end = match (failed, tool.decision) {
                (false, _) => ToolEnd::Ok,
                (true, Some(Decision::Reject)) => ToolEnd::Denied,
                (true, None) if stopped => ToolEnd::Cancelled,
                (true, _) if block.text.starts_with("Command timed out") => ToolEnd::TimedOut,
                (true, None) if block.text.starts_with("Claude requested permissions") => ToolEnd::Denied,
                (true, None) if block.text.head_contains("No such tool available") => ToolEnd::NotFound,
                (true, _) => ToolEnd::Failed,
            };
            tool.end = tool.end.or(Some(end));
            self.touched.push(key(id));
        }
        self.sub_agent_result(id, failed, line, time);
    }

    /// The result of a tool call that started a sub-agent tells which one it was and how it went.
    fn sub_agent_result(&mut self, id: &str, failed: bool, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let result = &line.tool_use_result;
        let lane = match (result.agent_id.some(), self.lane_of_tool(id)) {
            (None, None) => return,
            (Some(agent), _) => self.sub_lane(Some(id), Some(agent)),
            (None, known) => known,
        };
        let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(&lane)) else { return };
        if let Some(kind_name) = result.agent_type.some() {
            lane.kind_name = Some(kind_name.into());
        }
        match result.status.or_empty() {
            "async_launched" => lane.asynchronous = true,
            _ if lane.asynchronous => {}
            _ => {
                lane.time.hold(time);
                let outcome = if failed { Outcome::Error(ErrorType::TOOL_ERROR) } else { Outcome::Ok };
                lane.finished = lane.finished.take().or(Some(outcome));
            }
        }
    }
}
