package dev.penstock.testkit;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// Clients of a service that echoes, each with one connection after the other: it says something
/// and checks the answer every [#PAUSE], ends the connection in order after a while and begins the
/// next. What goes wrong is written down, and the client goes on.
final class EchoClients implements AutoCloseable {
  private static final Duration PAUSE = Duration.ofMillis(100);
  private static final int MESSAGE = 64;
  private static final int CONNECT_MILLIS = 20_000;
  private static final int ANSWER_MILLIS = 30_000;

  /// A connection that did not come about or did not end in order.
  ///
  /// @param begunNanos when its client began to connect, by [System#nanoTime]
  record Failure(InetSocketAddress to, long begunNanos, Duration age, String how) {}

  private final Duration longest;
  private final CountDownLatch over = new CountDownLatch(1);
  private final List<Thread> threads = new ArrayList<>();
  private final Queue<Failure> failures = new ConcurrentLinkedQueue<>();
  private final AtomicInteger ended = new AtomicInteger();
  private final AtomicInteger answers = new AtomicInteger();
  private final AtomicLong slowestNanos = new AtomicLong();

  private EchoClients(Duration longest) {
    this.longest = longest;
  }

  /// Starts so many clients for each of `targets`.
  ///
  /// @param longest how long a connection lasts at most; zero for one answer each
  static EchoClients start(List<InetSocketAddress> targets, int each, Duration longest) {
    var clients = new EchoClients(longest);
    var random = new SplittableRandom();
    for (InetSocketAddress target : targets) {
      for (int i = 0; i < each; i++) {
        var own = random.split();
        clients.threads.add(Thread.ofVirtual().start(() -> clients.run(target, own)));
      }
    }
    return clients;
  }

  private void run(InetSocketAddress to, SplittableRandom random) {
    while (over.getCount() > 0) {
      long begun = System.nanoTime();
      try (var socket = new Socket()) {
        socket.connect(to, CONNECT_MILLIS);
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(ANSWER_MILLIS);
        converse(socket, random);
        ended.incrementAndGet();
      } catch (IOException e) {
        failures.add(
            new Failure(to, begun, Duration.ofNanos(System.nanoTime() - begun), e.toString()));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private void converse(Socket socket, SplittableRandom random)
      throws IOException, InterruptedException {
    var in = new DataInputStream(socket.getInputStream());
    long length = longest.isZero() ? 0 : random.nextLong(longest.toNanos());
    long begun = System.nanoTime();
    do {
      byte[] said = ByteBuffer.allocate(MESSAGE).putLong(random.nextLong()).array();
      byte[] heard = new byte[MESSAGE];
      long sent = System.nanoTime();
      socket.getOutputStream().write(said);
      in.readFully(heard);
      slowestNanos.accumulateAndGet(System.nanoTime() - sent, Math::max);
      if (!Arrays.equals(said, heard)) {
        throw new IOException("the answer is not what was said");
      }
      answers.incrementAndGet();
    } while (System.nanoTime() - begun < length && !isOverAfter(PAUSE));
    socket.shutdownOutput();
    if (in.read() >= 0) {
      throw new IOException("more came than was said");
    }
  }

  private boolean isOverAfter(Duration pause) throws InterruptedException {
    return over.await(pause.toMillis(), TimeUnit.MILLISECONDS);
  }

  /// What has gone wrong so far.
  List<Failure> failures() {
    return List.copyOf(failures);
  }

  /// Connections that have ended in order.
  int ended() {
    return ended.get();
  }

  /// Answers that were heard.
  int answers() {
    return answers.get();
  }

  @Override
  public String toString() {
    return "%d connections, %d answers, the slowest after %d ms, %d failures"
        .formatted(
            ended.get(),
            answers.get(),
            Duration.ofNanos(slowestNanos.get()).toMillis(),
            failures.size());
  }

  /// Has every client end the connection that it has, in order, and waits for that.
  void end() throws InterruptedException {
    over.countDown();
    for (Thread thread : threads) {
      thread.join();
    }
  }

  @Override
  public void close() {
    over.countDown();
    threads.forEach(Thread::interrupt);
  }
}
