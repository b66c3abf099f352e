package dev.penstock.gateway.leases.sharded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import java.io.NotSerializableException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LeaseSerializerTest {
  private static final ActorTestKit KIT = ActorTestKit.create();
  private static final LeaseSerializer SERIALIZER =
      new LeaseSerializer((ExtendedActorSystem) KIT.system().classicSystem());
  private static final CBORMapper CBOR = new CBORMapper();
  private static final BlockId BLOCK = new BlockId(Transport.TCP, 63);
  private static final BlockEvent.Held HELD =
      new BlockEvent.Held("lab", "redis", 16_379, 3, Origin.SYNC, "{}", 7);

  @AfterAll
  static void end() {
    KIT.shutdownTestKit();
  }

  private static <T> ActorRef<T> anybody() {
    return KIT.<T>createTestProbe().getRef();
  }

  private static Stream<Wire> everything() {
    var granted =
        new BlockAnswer.Granted(16_379, 3, Origin.SYNC, 7, Change.NEW, new BlockAnswer.Fresh(HELD));
    var request = new Request("redis", Transport.TCP, 6379, 0, Origin.SYNC, "{}");
    return Stream.of(
        BlockEvent.of(
            "lab",
            7,
            List.of(
                HELD,
                new BlockEvent.Held("lab", "web", null, 0, Origin.REGISTRATION, "", 7),
                new BlockEvent.Released("lab", "a", 1_000, 7),
                new BlockEvent.Dropped("lab", "b", 0))),
        new BlockSnapshot(
            3,
            List.of(HELD),
            List.of(new BlockSnapshot.Kept("lab", "a", 16_380, 1_000)),
            Map.of("lab", 7L),
            Map.of(16_381, "lab")),
        new TenantEvent.Opened(2),
        new TenantEvent.Changed(
            List.of(new TenantEvent.Entry("redis", BLOCK, new BlockId(Transport.TCP, 1), 2, 0)),
            List.of("gone")),
        new TenantSnapshot(2, List.of(new TenantEvent.Entry("redis", BLOCK, null, 2, 9))),
        new PortBlock.LeaseAll("lab", 7, BlockBook.Need.LAST_RESORT, List.of(request), anybody()),
        new PortBlock.Release("lab", 7, Errand.Ask.Purpose.END, List.of("redis"), anybody()),
        new PortBlock.Refuse("lab", 7, "redis", 3, null, anybody()),
        new PortBlock.Follow(-1, anybody()),
        new BlockReply.Leased(
            7,
            List.of(
                granted,
                new BlockAnswer.Conflict("no", BlockAnswer.Known.YES),
                new BlockAnswer.NotHere(BlockAnswer.Known.NO)),
            1,
            2),
        new BlockReply.Done(7),
        new BlockReply.Stale(7),
        new TenantTunnels.LeaseAll(List.of(request), anybody()),
        new TenantTunnels.Release(List.of("redis"), 1_000, anybody()),
        new TenantTunnels.Refuse("redis", 3, HELD, anybody()),
        new TenantReply.Leased(
            List.of(
                new TenantAnswer.Granted(granted),
                new TenantAnswer.Refused(TenantAnswer.Refusal.EXHAUSTED, "none"),
                new TenantAnswer.Unavailable())),
        new TenantReply.Ended(Map.of("redis", 8L)),
        new TenantReply.Unavailable(),
        new TableUpdate.Delta(BLOCK, 1, 2, List.of(HELD)),
        new TableUpdate.Page(BLOCK, 2, 0, 1, List.of(HELD), Map.of("lab", 7L)));
  }

  @ParameterizedTest
  @MethodSource("everything")
  void everythingComesBackAsItWas(Wire value) throws Exception {
    byte[] bytes = SERIALIZER.toBinary(value);
    assertThat(SERIALIZER.fromBinary(bytes, SERIALIZER.manifest(value))).isEqualTo(value);
  }

  @ParameterizedTest
  @MethodSource("everything")
  void aFieldOfTheNextReleaseIsIgnored(Wire value) throws Exception {
    JsonNode tree = CBOR.readTree(SERIALIZER.toBinary(value));
    ((ObjectNode) tree).put("of_the_next_release", 1);
    assertThat(SERIALIZER.fromBinary(CBOR.writeValueAsBytes(tree), SERIALIZER.manifest(value)))
        .isEqualTo(value);
  }

  @Test
  void theBytesInTheDatabaseStayWhatTheyAre() throws Exception {
    var event = BlockEvent.of("lab", 7, List.of(HELD, new BlockEvent.Released("lab", "a", 1, 7)));
    assertThat(SERIALIZER.manifest(event)).isEqualTo("block-event");
    assertThat(CBOR.readTree(SERIALIZER.toBinary(event)).toString())
        .isEqualTo(
            "{\"cluster\":\"lab\",\"attempt\":7,\"lines\":[{\"t\":\"held\",\"cluster\":\"lab\","
                + "\"tunnelId\":\"redis\",\"port\":16379,\"fencing\":3,\"origin\":\"SYNC\","
                + "\"registration\":\"{}\",\"revision\":7},{\"t\":\"released\",\"cluster\":\"lab\","
                + "\"tunnelId\":\"a\",\"at\":1,\"revision\":7}]}");
    var opened = new TenantEvent.Opened(2);
    assertThat(SERIALIZER.manifest(opened)).isEqualTo("tenant-event");
    assertThat(HexFormat.of().formatHex(SERIALIZER.toBinary(opened)))
        .isEqualTo("bf6174666f70656e65646b696e6361726e6174696f6e02ff");
  }

  @Test
  void whatHasNoNameHereIsRefused() {
    assertThatThrownBy(() -> SERIALIZER.fromBinary(new byte[0], "of-another-time"))
        .isInstanceOf(NotSerializableException.class)
        .hasMessageContaining("of-another-time");
  }
}
