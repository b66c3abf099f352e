package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.control.Carrier;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/// Large transfers arrive whole and unchanged, whatever order the two directions end in.
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@ParameterizedClass
@EnumSource
class BulkSystemTest {
  private static final long GIB = 1L << 30;
  private static final Payload UP = new Payload(11, GIB);
  private static final Payload DOWN = new Payload(12, GIB);
  private static final Payload UP_AFTER_END = new Payload(13, 100_000_000);
  private static final Payload DOWN_AFTER_END = new Payload(14, 100_000_000);
  private static final Payload SHORT = new Payload(15, 1_000);
  private static final BlockingQueue<Payload.Digest> REPORTS = new LinkedBlockingQueue<>();

  @TempDir static Path directory;
  private static Lab lab;

  /// What carries the streams.
  @Parameter Carrier carrier;

  @BeforeParameterizedClassInvocation
  static void start(Carrier carrier) throws IOException {
    lab =
        Lab.in(Files.createDirectory(directory.resolve(carrier.label())))
            .over(carrier)
            .expose("digest", EchoService.start(Behaviour.digest()))
            .expose("send", EchoService.start(Behaviour.send(DOWN)))
            .expose("exchange", EchoService.start(Behaviour.exchange(DOWN)))
            .expose("after-end", EchoService.start(Behaviour.sendAfterEnd(DOWN_AFTER_END)))
            .expose("ends-first", EchoService.start(Behaviour.sendThenReport(SHORT, REPORTS::add)))
            .start();
  }

  @AfterParameterizedClassInvocation
  static void stop() {
    lab.close();
  }

  @Test
  void aGibibyteReachesTheServiceUnchanged() throws IOException {
    try (Socket client = lab.connect("digest")) {
      assertThat(UP.digestedBy(client)).as(lab::report).isEqualTo(UP.digest());
    }
  }

  @Test
  void aGibibyteReachesTheClientUnchanged() throws IOException {
    try (Socket client = lab.connect("send")) {
      assertThat(Payload.Digest.toEnd(client.getInputStream()))
          .as(lab::report)
          .isEqualTo(DOWN.digest());
    }
  }

  @Test
  void aGibibyteEachWayAtOnceArrivesUnchanged()
      throws IOException, ExecutionException, InterruptedException {
    try (Socket client = lab.connect("exchange");
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var sent =
          threads.submit(() -> {
            UP.write(client.getOutputStream());
            client.shutdownOutput();
            return null;
          });
      var in = client.getInputStream();
      assertThat(Payload.Digest.ofNext(in, GIB)).as(lab::report).isEqualTo(DOWN.digest());
      assertThat(Payload.Digest.read(in)).as(lab::report).isEqualTo(UP.digest());
      sent.get();
    }
  }

  @Test
  void aServiceCanSendAHundredMegabytesAfterTheClientHasFinished() throws IOException {
    try (Socket client = lab.connect("after-end")) {
      SHORT.write(client.getOutputStream());
      client.shutdownOutput();
      assertThat(Payload.Digest.toEnd(client.getInputStream()))
          .as(lab::report)
          .isEqualTo(DOWN_AFTER_END.digest());
    }
  }

  @Test
  void aClientCanSendAHundredMegabytesAfterTheServiceHasFinished()
      throws IOException, InterruptedException {
    try (Socket client = lab.connect("ends-first")) {
      assertThat(Payload.Digest.toEnd(client.getInputStream()))
          .as(lab::report)
          .isEqualTo(SHORT.digest());
      UP_AFTER_END.write(client.getOutputStream());
      client.shutdownOutput();
      assertThat(REPORTS.poll(60, TimeUnit.SECONDS))
          .as(lab::report)
          .isEqualTo(UP_AFTER_END.digest());
    }
  }
}
