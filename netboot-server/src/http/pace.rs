//! Clients that are not worth waiting for: who is being sent something takes it at a least pace,
//! and who is sent what has no end is there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep};

use super::places::Activity;
use super::unacknowledged::Unacknowledged;

/// How long what is sent may stand still before anybody looks at its reader.
const SETTLE: Duration = Duration::from_secs(1);
/// How often it is looked at then.
const LOOK: Duration = Duration::from_secs(10);
/// How many bytes a second a reader must take in the long run.
const PACE: u64 = 1 << 10;
/// How long a connection's reader may at first be behind and take nothing.
const FIRST_PATIENCE: Duration = Duration::from_secs(120);
/// How long it may be so at most, whatever it took before. Its system takes as much at once as it
/// has room for, and nothing until the reader made room again: of Linux it is 130 KB for one that
/// was slow from the beginning, so that one of 1.5 kB/s takes nothing for a minute and a half, and
/// megabytes for one that was fast.
const MOST_PATIENCE: Duration = Duration::from_secs(600);
/// How long a client may say nothing while there is something for it. Linux asks one that takes
/// nothing less and less often, at the end each two minutes (`TCP_RTO_MAX`); that is the time for
/// its answer, too.
const SILENCE: Duration = Duration::from_secs(125);

/// Tells what of what was written the client has not acknowledged.
pub(super) type Ask = Box<dyn Fn() -> Unacknowledged + Send>;

/// A connection that may be ended with what the system still holds for its client.
pub(super) trait Reset {
    /// Has it end by a reset when it is dropped, where it is one that can.
    fn reset(&self) {}
}

impl Reset for TcpStream {
    fn reset(&self) {
        // Else the system goes on to send, for as long as the client takes a little now and then.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

#[cfg(feature = "tls")]
impl Reset for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

impl Reset for UnixStream {}

/// A connection whose writes fail when its reader is gone or too slow. While it keeps up there is no
/// timer. Dropped while its reader is behind, it is reset.
///
/// The system could end those who are gone (`TCP_USER_TIMEOUT`), but Linux ends readers by it who
/// answer, and take something each minute: its time begins anew only when the window opens wide
/// enough for the next of what it has to send, as much as 64 KiB (`tcp_ack_probe`).
pub(super) struct Paced<S: Reset> {
    stream: S,
    activity: Arc<Activity>,
    written: u64,
    /// How much of that its reader was seen to have taken.
    taken: u64,
    /// How long it may still be behind: each byte that it takes earns it its time.
    patience: Duration,
    ask: Ask,
    watch: Option<Watch>,
}

/// A client that is looked at.
struct Watch {
    /// It did not take all at once. Otherwise it has been sent all that there is so far of what has
    /// no end.
    is_behind: bool,
    next: Pin<Box<Sleep>>,
    looked: Instant,
    /// Since when there was always something for it.
    owed: Instant,
}

impl Watch {
    fn new(is_behind: bool) -> Self {
        let now = Instant::now();
        Self {
            is_behind,
            next: Box::pin(tokio::time::sleep(SETTLE)),
            looked: now,
            owed: now,
        }
    }
}

impl<S: Reset> Paced<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, ask: Ask) -> Self {
        Self {
            stream,
            activity,
            written: 0,
            taken: 0,
            patience: FIRST_PATIENCE,
            ask,
            watch: None,
        }
    }

    /// Counts what was written, and fails where its reader takes too little.
    fn count(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let Ok(more) = written {
                self.activity.moved(more);
                self.written += more as u64;
            }
            return Poll::Ready(written);
        }
        self.poll_watch(context, true).map(Err)
    }

    /// Ends with an error when the client of an answer without an end has shut its side, or says
    /// more, to which nothing would ever be answered. hyper does not look, so that clients that shut
    /// theirs get all of an answer that has an end.
    fn poll_departure(&mut self, context: &mut Context<'_>) -> Poll<io::Error>
    where
        S: AsyncRead + Unpin,
    {
        if !self.activity.is_endless() {
            return Poll::Pending;
        }
        let mut byte = [0];
        let read = Pin::new(&mut self.stream).poll_read(context, &mut ReadBuf::new(&mut byte));
        read.map(|read| match read {
            Ok(()) => io::ErrorKind::ConnectionAborted.into(),
            Err(error) => error,
        })
    }

    /// Ends with an error when the client is gone, or has been behind for longer than it may.
    fn poll_watch(&mut self, context: &mut Context<'_>, is_behind: bool) -> Poll<io::Error> {
        let watch = match &mut self.watch {
            Some(watch) if watch.is_behind == is_behind => watch,
            other => other.insert(Watch::new(is_behind)),
        };
        while watch.next.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let Unacknowledged { bytes, silent } = (self.ask)();
            if bytes == 0 {
                watch.owed = now;
            }
            // Who was owed nothing had nothing to answer.
            let silent = silent.min(now.saturating_duration_since(watch.owed));
            if silent >= SILENCE {
                return Poll::Ready(timed_out("the client does not answer"));
            }
            if is_behind {
                // Not what the system took for it, which may be megabytes at once.
                let taken = self.written.saturating_sub(bytes).max(self.taken);
                let earned = (taken - self.taken).saturating_mul(1000) / PACE;
                self.taken = taken;
                let patience = self.patience + Duration::from_millis(earned);
                let spent = now.saturating_duration_since(watch.looked);
                let Some(left) = patience.checked_sub(spent) else {
                    return Poll::Ready(timed_out("the client reads too slowly"));
                };
                self.patience = left.min(MOST_PATIENCE);
            }
            watch.looked = now;
            watch.next.as_mut().reset(now + LOOK.min(SILENCE - silent));
        }
        Poll::Pending
    }
}

impl<S: Reset> Drop for Paced<S> {
    fn drop(&mut self) {
        if self.watch.as_ref().is_some_and(|watch| watch.is_behind) {
            self.stream.reset();
        }
    }
}

fn timed_out(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<S: AsyncRead + AsyncWrite + Reset + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.count(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(gone) = self.poll_departure(context) {
            return Poll::Ready(Err(gone));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_pending() {
            // TLS holds what it has encrypted.
            return self.poll_watch(context, true).map(Err);
        }
        if !self.activity.is_endless() {
            self.watch = None;
            return flushed;
        }
        // Its client may be gone for hours before the next piece does not fit.
        match self.poll_watch(context, false) {
            Poll::Ready(gone) => Poll::Ready(Err(gone)),
            Poll::Pending => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Reset + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        let came = into.filled().len().saturating_sub(before);
        if came > 0 {
            self.activity.moved(came);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Mutex, MutexGuard};
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex};
    use tokio::net::TcpListener;

    use super::*;

    impl Reset for DuplexStream {}
    impl<S> Reset for BufWriter<S> {}
    impl Reset for System {}

    /// Sends so much to a reader that takes so much each second of a paused clock.
    async fn send_to_reader_of(bytes_a_second: usize, bytes: usize) -> io::Result<()> {
        let (stream, mut reader) = duplex(1024);
        let mut paced = Paced::new(stream, Arc::default(), Box::new(Unacknowledged::default));
        let read = async move {
            let mut taken = vec![0; bytes_a_second];
            while reader.read_exact(&mut taken).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            reader.read_to_end(&mut taken).await
        };
        let write = async move {
            paced.write_all(&vec![0; bytes]).await?;
            paced.flush().await
        };
        tokio::select! {
            written = write => written,
            _ = read => unreachable!("the writer ends first"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_below_the_least_pace_is_cut() {
        for (bytes_a_second, megabytes) in [(1, 1), (500, 1), (1000, 8)] {
            let cut = send_to_reader_of(bytes_a_second, megabytes << 20).await;
            let kind = cut.map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::TimedOut), "{bytes_a_second}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_at_the_least_pace_gets_all_of_it() {
        for bytes_a_second in [1100, 4096] {
            let sent = send_to_reader_of(bytes_a_second, 8 << 20).await;
            assert!(sent.is_ok(), "{bytes_a_second}: {sent:?}");
        }
    }

    /// What a system holds for its clients: it takes a megabyte, and more when a third of that is
    /// gone (`sk_stream_is_writeable` of Linux's `include/net/sock.h`).
    #[derive(Clone)]
    struct System(Arc<Mutex<Queue>>);

    struct Queue {
        held: usize,
        is_full: bool,
        writer: Option<Waker>,
        heard: Instant,
    }

    impl System {
        const ROOM: usize = 1 << 20;

        fn new() -> Self {
            Self(Arc::new(Mutex::new(Queue {
                held: 0,
                is_full: false,
                writer: None,
                heard: Instant::now(),
            })))
        }

        /// What the answers of this system's client are told by.
        fn paced(&self, activity: Arc<Activity>) -> Paced<Self> {
            let system = self.clone();
            let ask = move || {
                let queue = system.lock();
                Unacknowledged {
                    bytes: queue.held as u64,
                    silent: queue.heard.elapsed(),
                }
            };
            Paced::new(self.clone(), activity, Box::new(ask))
        }

        /// Its client says that it takes nothing more.
        fn hear(&self) {
            self.lock().heard = Instant::now();
        }

        fn lock(&self) -> MutexGuard<'_, Queue> {
            self.0.lock().expect("no panic")
        }

        /// Hands so much on to the client.
        fn hand_on(&self, bytes: usize) {
            let mut queue = self.lock();
            queue.heard = Instant::now();
            queue.held = queue.held.saturating_sub(bytes);
            if queue.held < Self::ROOM / 3 * 2 {
                queue.is_full = false;
                if let Some(writer) = queue.writer.take() {
                    writer.wake();
                }
            }
        }
    }

    impl AsyncWrite for System {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let mut queue = self.lock();
            let taken = bytes.len().min(Self::ROOM - queue.held);
            if queue.is_full || taken == 0 {
                queue.is_full = true;
                queue.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            queue.held += taken;
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for System {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// Sends eight megabytes to a client whose window is so large, opens when it has read all that
    /// was in it, and which reads so much a second and always answers.
    async fn send_through(window: usize, bytes_a_second: usize) -> io::Result<()> {
        let system = System::new();
        let mut paced = system.paced(Arc::default());
        let read = async {
            let mut read = window;
            loop {
                if read >= window {
                    system.hand_on(window);
                    read -= window;
                }
                system.hear();
                tokio::time::sleep(Duration::from_secs(1)).await;
                read += bytes_a_second;
            }
        };
        let bytes = vec![0; 8 << 20];
        tokio::select! {
            // There is something when it begins to read.
            biased;
            written = paced.write_all(&bytes) => written,
            () = read => unreachable!("it goes on"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_readers_pace_is_what_it_takes_and_not_what_the_system_takes_for_it() {
        // Over loopback; what Linux 6.18 took at once over Ethernet; one that was grown.
        for window in [65_483, 136_272, 870_000] {
            for (bytes_a_second, is_served) in [
                (0, false),
                (300, false),
                (600, false),
                (700, false),
                (1500, true),
                (8000, true),
            ] {
                let written = send_through(window, bytes_a_second).await;
                let told = written.map_err(|error| error.to_string());
                let cut = Err("the client reads too slowly".to_owned());
                let right = if is_served { Ok(()) } else { cut };
                assert_eq!(told, right, "{bytes_a_second} B/s, {window}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_has_as_long_as_it_earned_and_a_limit() {
        for (taken, seconds) in [(0, 120), (60 << 10, 180), (1 << 20, 600), (50 << 20, 600)] {
            let system = System::new();
            let mut paced = system.paced(Arc::default());
            let began = Instant::now();
            let bytes = vec![0; System::ROOM];
            let write = async {
                loop {
                    if let Err(error) = paced.write_all(&bytes).await {
                        return error.to_string();
                    }
                }
            };
            let read = async {
                for _ in 0..taken >> 10 {
                    system.hand_on(1 << 10);
                    tokio::task::yield_now().await;
                }
                loop {
                    system.hear();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            let cut = tokio::select! {
                cut = write => cut,
                () = read => unreachable!("it goes on"),
            };
            assert_eq!(cut, "the client reads too slowly");
            let late = began.elapsed().as_secs().saturating_sub(seconds);
            assert!(late <= LOOK.as_secs() + 1, "{taken}: {:?}", began.elapsed());
            assert!(began.elapsed().as_secs() >= seconds, "{taken}");
        }
    }

    /// A client that took ten megabytes, and then takes nothing.
    async fn stopped(system: &System) -> Paced<System> {
        let mut paced = system.paced(Arc::default());
        for _ in 0..10 {
            paced.write_all(&[0; System::ROOM]).await.expect("room");
            system.hand_on(System::ROOM);
        }
        paced
    }

    /// Linux asks a client that takes nothing each `TCP_RTO_MAX` at the end.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_gone_is_cut_before_one_that_answers() {
        let answers = |times: u32| async move {
            let system = System::new();
            let mut paced = stopped(&system).await;
            let began = Instant::now();
            let bytes = vec![0; 2 * System::ROOM];
            let answer = async {
                for _ in 0..times {
                    tokio::time::sleep(Duration::from_secs(120)).await;
                    system.hear();
                }
                std::future::pending::<()>().await;
            };
            let cut = tokio::select! {
                cut = paced.write_all(&bytes) => cut.map_err(|error| error.to_string()),
                () = answer => unreachable!("it goes on"),
            };
            (cut, began.elapsed().as_secs())
        };
        let gone = Err("the client does not answer".to_owned());
        assert_eq!(answers(0).await, (gone.clone(), 125));
        assert_eq!(answers(2).await, (gone, 365));
        let (cut, _) = answers(100).await;
        assert_eq!(cut, Err("the client reads too slowly".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_of_what_has_no_end_is_cut_where_it_does_not_answer_what_it_was_sent() {
        let activity = Arc::<Activity>::default();
        activity.has_no_end();
        let system = System::new();
        let mut paced = system.paced(activity);
        let mut watch = async |seconds| {
            let flushed = poll_fn(|context| match Pin::new(&mut paced).poll_flush(context) {
                Poll::Ready(Ok(())) => Poll::Pending,
                failed => failed,
            });
            let over = tokio::time::sleep(Duration::from_secs(seconds));
            tokio::select! {
                failed = flushed => failed.map_err(|error| error.to_string()),
                () = over => Ok(()),
            }
        };
        let day = 86_400;
        assert_eq!(watch(day).await, Ok(()), "it was sent nothing");
        system.lock().held = 100;
        assert_eq!(watch(100).await, Ok(()));
        system.hand_on(100);
        assert_eq!(watch(day).await, Ok(()), "it has all");
        system.lock().held = 100;
        let gone = Err("the client does not answer".to_owned());
        assert_eq!(watch(140).await, gone);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_layer_below_holds_is_not_held_for_ever() {
        let (stream, _reader): (_, DuplexStream) = duplex(16);
        let mut paced = Paced::new(
            BufWriter::with_capacity(1024, stream),
            Arc::default(),
            Box::new(Unacknowledged::default),
        );
        paced.write_all(&[0; 1000]).await.expect("room");
        let cut = paced.flush().await.map_err(|error| error.kind());
        assert_eq!(cut, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_cut_and_one_that_is_sent_nothing_is_not() {
        let (stream, _reader): (_, DuplexStream) = duplex(16);
        let mut paced = Paced::new(stream, Arc::default(), Box::new(Unacknowledged::default));
        paced.write_all(&[0; 16]).await.expect("room");
        paced.flush().await.expect("a reader");
        tokio::time::sleep(MOST_PATIENCE * 10).await;
        let cut = paced.write_all(&[0]).await.map_err(|error| error.kind());
        assert_eq!(cut, Err(io::ErrorKind::TimedOut));
    }

    /// A connection over loopback and its client.
    async fn connected() -> (Paced<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("a connection");
        let (stream, _) = listener.accept().await.expect("a connection");
        let ask = Box::new(Unacknowledged::default);
        (Paced::new(stream, Arc::default(), ask), client)
    }

    #[tokio::test]
    async fn a_client_that_is_behind_is_reset_and_another_gets_what_it_was_sent() {
        let (mut paced, mut client) = connected().await;
        paced.write_all(&[7; 100]).await.expect("room");
        paced.flush().await.expect("a reader");
        drop(paced);
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.expect("all of it");
        assert_eq!(got, [7; 100]);

        let (mut paced, mut client) = connected().await;
        // It takes more for as long as there is room.
        let full =
            poll_fn(
                |context| match Pin::new(&mut paced).poll_write(context, &[7; 1 << 16]) {
                    Poll::Ready(written) => {
                        context.waker().wake_by_ref();
                        assert!(written.is_ok(), "{written:?}");
                        Poll::Pending
                    }
                    Poll::Pending => Poll::Ready(()),
                },
            );
        full.await;
        drop(paced);
        let mut got = Vec::new();
        let ended = client.read_to_end(&mut got).await;
        let kind = ended.map_err(|error| error.kind());
        assert_eq!(kind, Err(io::ErrorKind::ConnectionReset));
    }
}
