//! One socket: reads what its client says, writes what it is to be told, and ends in time.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use realtime::{LONGEST, MAX_FRAME_BYTES, Standing, plain};
use tidings_runtime::Clock;
use tidings_telemetry::{chain, ignore};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::warn;

use super::hub::{Order, Seat};

/// How long a client may take to say who it is.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// Time between two pings, and how long a client may say nothing, not even a pong.
const PING: Duration = Duration::from_secs(25);
const SILENCE: Duration = Duration::from_secs(60);

/// Frames that a client may send in a second.
const FRAMES_A_SECOND: u32 = 50;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Bytes that a connection reads and writes at a time; the library's own measure is for bulk data.
const BUFFER: usize = 4 * 1024;

/// A connection whose handshake is answered.
pub(super) struct Socket {
    seat: Seat,
    clock: Clock,
    is_plain: bool,
    opened: Instant,
    standing: Standing,
    /// The second that is counted, and its frames.
    counted: (Instant, u32),
}

/// Why a connection ends.
enum End {
    /// The client went, or is not there any more.
    Gone,
    /// It was told to.
    Ordered,
    /// Its time is over.
    Late(&'static str),
    /// It does what nobody should.
    Abuse,
}

/// Bounds of what a client may send at once. Somewhat more than the function takes, so that it can say so.
pub(super) fn limits(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(4 * MAX_FRAME_BYTES)
        .max_frame_size(4 * MAX_FRAME_BYTES)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(1024 * 1024)
}

impl Socket {
    pub(super) fn new(seat: Seat, clock: Clock, is_plain: bool, standing: Standing) -> Self {
        let now = Instant::now();
        let mut socket = Self { seat, clock, is_plain, opened: now, standing, counted: (now, 0) };
        socket.stands(standing);
        socket
    }

    /// Until the connection is gone.
    pub(super) async fn run(mut self, mut socket: WebSocket) {
        let cut = std::sync::Arc::clone(&self.seat.cut);
        // A slow reader may never take what is written: whoever cuts it off ends that, too.
        tokio::select! {
            () = cut.notified() => {}
            end = self.converse(&mut socket) => self.say_goodbye(&mut socket, end).await,
        }
        drop(socket);
        self.seat.leave().await;
    }

    async fn converse(&mut self, socket: &mut WebSocket) -> End {
        let mut heard_at = Instant::now();
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (end, reason) = self.end();
            tokio::select! {
                received = socket.recv() => {
                    heard_at = Instant::now();
                    let Some(Ok(message)) = received else { return End::Gone };
                    if let Some(end) = self.hear(message).await {
                        return end;
                    }
                }
                order = self.seat.orders.recv() => match order {
                    Some(Order::Say(text)) => {
                        if socket.send(Message::Text(text)).await.is_err() {
                            return End::Gone;
                        }
                    }
                    Some(Order::End) | None => return End::Ordered,
                },
                _ = pings.tick() => {
                    if heard_at.elapsed() > SILENCE || socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                        return End::Gone;
                    }
                }
                () = sleep_until(end) => return End::Late(reason),
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Option<End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Some(End::Gone),
            Message::Ping(_) | Message::Pong(_) => return self.is_abuse().then_some(End::Abuse),
            // Socket.IO's attachments. A plain client is told that it is not understood.
            Message::Binary(_) if self.is_plain => "".into(),
            Message::Binary(_) => "b".into(),
        };
        if self.is_abuse() {
            return Some(End::Abuse);
        }
        match self.seat.realtime().hear(self.seat.id(), text.as_str()).await {
            // What it was told at last stands in its queue.
            Ok(Standing::Ended) => None,
            Ok(standing) => {
                self.stands(standing);
                None
            }
            Err(error) => {
                warn!(error = chain(&error), "a connection is ended: what was said on it could not be dealt with");
                Some(End::Ordered)
            }
        }
    }

    fn stands(&mut self, standing: Standing) {
        self.standing = standing;
        if matches!(standing, Standing::Listening(_)) {
            self.seat.is_known();
        }
    }

    fn is_abuse(&mut self) -> bool {
        let (second, frames) = &mut self.counted;
        if second.elapsed() >= Duration::from_secs(1) {
            self.counted = (Instant::now(), 1);
            return false;
        }
        *frames += 1;
        *frames > FRAMES_A_SECOND
    }

    /// When the connection's time is over, and why.
    fn end(&self) -> (Instant, &'static str) {
        match self.standing {
            Standing::Listening(until) => {
                let left = until.since(self.clock.now()).min(LONGEST);
                let (credential, longest) = (Instant::now() + left, self.opened + LONGEST);
                (credential.min(longest), "The credential is not valid any more.")
            }
            Standing::Unknown => (self.opened + UNKNOWN_FOR, "No credential was shown in time."),
            // What it was told at last, and the order to end, stand in its queue.
            Standing::Ended => (Instant::now() + GOODBYE, ""),
        }
    }

    async fn say_goodbye(&mut self, socket: &mut WebSocket, end: End) {
        let (code, reason) = match end {
            End::Gone => return,
            End::Ordered => (close_code::AWAY, ""),
            End::Late(reason) => (close_code::POLICY, reason),
            End::Abuse => (close_code::POLICY, "Too many frames."),
        };
        let goodbye = async {
            if self.is_plain && !reason.is_empty() {
                socket.send(Message::Text(plain::error(reason).into())).await?;
            }
            socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await
        };
        ignore(timeout(GOODBYE, goodbye).await.unwrap_or(Ok(())), "it is gone");
    }
}
