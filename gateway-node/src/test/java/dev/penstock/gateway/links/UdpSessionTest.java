package dev.penstock.gateway.links;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.DatagramQueue;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.DatagramTraffic;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.yamux.ByteBudget;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class UdpSessionTest {
  private static final StreamEnd REFUSED =
      new StreamEnd(
          StreamEnd.Cause.DIAL_FAILED,
          0,
          0,
          new DialStatus(DialStatus.Code.REFUSED, "as told"),
          List.of());

  private final ActorTestKit actors = ActorTestKit.create();
  private final EventLoops loops = EventLoops.start(2);
  private final DatagramTraffic traffic = new DatagramTraffic();
  private final DatagramQueue queue =
      new DatagramQueue(DatagramQueue.Limits.defaults(), new ByteBudget(1024 * 1024), traffic);
  private final CompletableFuture<Void> notCarried = new CompletableFuture<>();
  private final UdpFlow flow =
      new UdpFlow(
          new Service(
              new TunnelIdentity("lab", "t"), "dns", "default", 53, 53, AccessRules.EVERYBODY),
          new InetSocketAddress(InetAddress.getLoopbackAddress(), 1),
          new InetSocketAddress(InetAddress.getLoopbackAddress(), 2),
          loops.get(0),
          new Port(),
          queue,
          traffic);

  @AfterEach
  void end() {
    loops.close();
    actors.shutdownTestKit();
  }

  @Test
  void whatIsHandedOverWhileTheDialFailsIsSaidAgainInOrder() throws Exception {
    var carrier =
        new UdpSession.Carrier(
            flow,
            new OtherLoop(),
            actors.<UdpSession.Command>createTestProbe().ref().unsafeUpcast());
    var failed = new CountDownLatch(1);
    loops
        .get(0)
        .execute(() -> {
          flow.add(ByteBuffer.wrap("one".getBytes(US_ASCII)));
          flow.add(ByteBuffer.wrap("two".getBytes(US_ASCII)));
          awaitUninterruptibly(failed);
          // The news of the failure is on its way, and so are these two.
          flow.carriedBy(carrier);
        });
    loops
        .get(1)
        .execute(() -> {
          carrier.ended(REFUSED);
          failed.countDown();
        });
    notCarried.get(10, TimeUnit.SECONDS);
    var again = new CompletableFuture<List<String>>();
    loops.get(0).execute(() -> again.complete(List.of(next(), next())));
    assertThat(again.get(10, TimeUnit.SECONDS)).containsExactly("one", "two");
    assertThat(queue.isEmpty()).isTrue();
  }

  private String next() {
    ByteBuffer datagram = queue.poll();
    return datagram == null ? "nothing" : US_ASCII.decode(datagram).toString();
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private final class Port implements UdpFlow.Port {
    @Override
    public void answer(UdpFlow of, List<ByteBuffer> datagrams) {}

    @Override
    public void notCarried(UdpFlow of, @Nullable StreamEnd why) {
      notCarried.complete(null);
    }

    @Override
    public void ended(UdpFlow of) {}
  }

  /// A way whose streams live on the second loop, and whose agent reports dials.
  private final class OtherLoop implements Way {
    @Override
    public Loop loop() {
      return loops.get(1);
    }

    @Override
    public boolean can(Capability capability) {
      return true;
    }

    @Override
    public boolean reportsDials(Protocol protocol) {
      return true;
    }

    @Override
    public DatagramStream.Framing framing() {
      return DatagramStream.Framing.LENGTHS;
    }

    @Override
    public @Nullable LinkStream open(StreamHeader header, int listenerPort) {
      return null;
    }

    @Override
    public void carry(Client client) {}

    @Override
    public void carry(UdpFlow of, Duration timeout) {}

    @Override
    public int load() {
      return 0;
    }

    @Override
    public boolean isFit(long now) {
      return true;
    }

    @Override
    public void chosen() {}

    @Override
    public void released() {}

    @Override
    public void reached(DialStatus status) {}

    @Override
    public boolean failed(DialStatus why) {
      return true;
    }
  }
}
