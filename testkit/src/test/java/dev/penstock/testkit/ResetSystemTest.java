package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.EchoService.End;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A connection that breaks at one end breaks at the other: at once, and as a reset, never as an
/// orderly end that would make half a file look like a whole one.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class ResetSystemTest {
  private static final Duration LIMIT = Limits.time(Duration.ofMillis(100));
  private static final BlockingQueue<End> ENDS = new LinkedBlockingQueue<>();

  private static final Semaphore RESETS = new Semaphore(0);

  @TempDir static Path directory;
  private static Lab lab;

  @BeforeAll
  static void start() throws IOException {
    lab =
        Lab.in(directory)
            .expose("reports", EchoService.start(Behaviour.reportEnd(ENDS)))
            .expose("resets", EchoService.start(Behaviour.resetOn(RESETS)))
            .expose("closed", "127.0.0.1:" + Ports.free())
            .start();
    try (Socket first = lab.connect("reports")) {
      lab.roundTrip(first);
    }
  }

  @AfterAll
  static void stop() {
    lab.close();
  }

  @RepeatedTest(5)
  void aClientsResetReachesTheService() throws IOException, InterruptedException {
    Socket client = lab.connect("reports");
    lab.roundTrip(client);
    ENDS.clear();
    client.setSoLinger(true, 0);
    long start = System.nanoTime();
    client.close();
    End end = ENDS.poll(10, TimeUnit.SECONDS);
    assertThat(end).as(lab::report).isNotNull();
    assertThat(end.how()).as(lab::report).isEqualTo(End.How.RESET);
    assertThat(Duration.ofNanos(end.nanos() - start)).isLessThan(LIMIT);
  }

  @RepeatedTest(5)
  void aServicesResetReachesTheClient() throws IOException {
    try (Socket client = lab.connect("resets")) {
      lab.roundTrip(client);
      long start = System.nanoTime();
      RESETS.release();
      End end = End.of(client.getInputStream());
      assertThat(end.how()).as(lab::report).isEqualTo(End.How.RESET);
      assertThat(Duration.ofNanos(end.nanos() - start)).isLessThan(LIMIT);
    }
  }

  @RepeatedTest(5)
  void aRefusingServiceResetsTheClient() throws IOException {
    long start = System.nanoTime();
    End end = refusal();
    assertThat(end.how()).as(lab::report).isEqualTo(End.How.RESET);
    assertThat(Duration.ofNanos(end.nanos() - start)).isLessThan(LIMIT);
  }

  @Test
  void theReasonIsInTheGatewaysLogAndMetrics() throws IOException {
    double before = refused();
    assertThat(refusal().how()).as(lab::report).isEqualTo(End.How.RESET);
    await().untilAsserted(() -> assertThat(refused()).isGreaterThan(before));
    await()
        .untilAsserted(
            () -> assertThat(lab.gateway().log()).anyMatch(line -> line.contains("refused")));
  }

  @Test
  void anOrderlyCloseStaysOrderly() throws IOException, InterruptedException {
    try (Socket client = lab.connect("reports")) {
      lab.roundTrip(client);
      ENDS.clear();
      client.shutdownOutput();
      End end = ENDS.poll(10, TimeUnit.SECONDS);
      assertThat(end).as(lab::report).isNotNull();
      assertThat(end.how()).isEqualTo(End.How.FINISHED);
      assertThat(End.of(client.getInputStream()).how()).isEqualTo(End.How.FINISHED);
    }
  }

  /// How a client of the service that is not there ends. The reset may come so soon that the client
  /// still counts as connecting; being refused by the public port itself is something else.
  private static End refusal() throws IOException {
    try (Socket client = lab.connect("closed")) {
      return End.of(client.getInputStream());
    } catch (ConnectException notListening) {
      throw notListening;
    } catch (SocketException reset) {
      return new End(End.How.RESET, System.nanoTime());
    }
  }

  private static double refused() {
    return lab.gateway().metric("penstock_gateway_", "reason=\"refused\"");
  }
}
