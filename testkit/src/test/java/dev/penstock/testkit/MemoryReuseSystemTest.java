package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.testkit.EchoService.Behaviour;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Memory that sockets read into is used again as soon as its bytes are sent. Nobody gets bytes of
/// somebody else by that, whoever is slow, stops, or is cut. Both ends run with assertions, with
/// which memory is overwritten as soon as it is free.
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MemoryReuseSystemTest {
  private static final int SERVICES = 4;
  private static final int LENGTH = 32 << 20;

  /// Where those stop who are slow or cut.
  private static final int STOP = 1 << 20;

  @TempDir Path directory;

  private Lab lab;

  @BeforeEach
  void start() {
    lab =
        Lab.in(directory)
            .variable("PENSTOCK_JAVA_OPTS", "-ea")
            .expose("digest", EchoService.start(Behaviour.digest()));
    for (int i = 0; i < SERVICES; i++) {
      lab.expose("send-" + i, EchoService.start(Behaviour.send(sentBy(i))));
    }
    lab.start();
  }

  @AfterEach
  void stop() {
    lab.close();
  }

  private static Payload sentBy(int service) {
    return new Payload(100 + service, LENGTH);
  }

  @Test
  void clientsAtOnceGetTheirOwnBytesAndNoOthers() throws Exception {
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var steadyOnesAreDone = new CountDownLatch(1);
      var stopped = new CountDownLatch(2 * SERVICES);
      List<Future<Void>> slow = new ArrayList<>();
      List<Future<Void>> steady = new ArrayList<>();
      for (int i = 0; i < SERVICES; i++) {
        int service = i;
        slow.add(
            threads.submit(() -> {
              download(
                  service,
                  () -> {
                    stopped.countDown();
                    steadyOnesAreDone.await();
                    return null;
                  });
              return null;
            }));
        slow.add(
            threads.submit(() -> {
              cut(service);
              stopped.countDown();
              return null;
            }));
      }
      stopped.await();
      for (int i = 0; i < 2 * SERVICES; i++) {
        int number = i;
        steady.add(
            threads.submit(() -> {
              download(number % SERVICES, () -> null);
              return null;
            }));
        steady.add(
            threads.submit(() -> {
              upload(new Payload(200 + number, LENGTH));
              return null;
            }));
      }
      try {
        for (Future<Void> one : steady) {
          one.get();
        }
      } finally {
        steadyOnesAreDone.countDown();
      }
      for (Future<Void> one : slow) {
        one.get();
      }
    }
  }

  private void download(int service, Callable<Void> atStop) throws IOException {
    try (Socket client = lab.connect("send-" + service)) {
      var in = new Stopping(client.getInputStream(), atStop);
      assertThat(Payload.Digest.toEnd(in)).as(lab::report).isEqualTo(sentBy(service).digest());
    }
  }

  private void upload(Payload payload) throws IOException {
    try (Socket client = lab.connect("digest")) {
      assertThat(payload.digestedBy(client)).as(lab::report).isEqualTo(payload.digest());
    }
  }

  private void cut(int service) throws IOException {
    try (Socket client = lab.connect("send-" + service)) {
      client.setSoLinger(true, 0);
      assertThat(client.getInputStream().readNBytes(STOP)).hasSize(STOP);
    }
  }

  /// Does something once, in the middle.
  private static final class Stopping extends FilterInputStream {
    private final Callable<Void> atStop;
    private int left = STOP;

    Stopping(InputStream in, Callable<Void> atStop) {
      super(in);
      this.atStop = atStop;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      int count = super.read(bytes, offset, length);
      if (left > 0) {
        left -= count;
        if (left <= 0) {
          try {
            atStop.call();
          } catch (Exception e) {
            throw new IOException(e);
          }
        }
      }
      return count;
    }
  }
}
