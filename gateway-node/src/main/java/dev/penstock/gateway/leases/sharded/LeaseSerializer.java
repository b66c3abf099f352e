package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import java.io.IOException;
import java.io.NotSerializableException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.serialization.SerializerWithStringManifest;

/// All [Wire] types as CBOR (RFC 8949) of their fields by name. Names of types are in the table
/// below and at the types, never those of classes, so that classes can be renamed. A field that is
/// not known is ignored, so that the next release can add some; one that is missing is null or
/// zero.
public final class LeaseSerializer extends SerializerWithStringManifest {
  static final int IDENTIFIER = 735_501;

  private static final Map<String, Class<? extends Wire>> TYPES =
      Map.of(
          "block-event", BlockEvent.class,
          "block-snapshot", BlockSnapshot.class,
          "block-command", PortBlock.Command.class,
          "block-reply", BlockReply.class,
          "tenant-event", TenantEvent.class,
          "tenant-snapshot", TenantSnapshot.class,
          "tenant-command", TenantTunnels.OfNode.class,
          "tenant-reply", TenantReply.class,
          "reservation-reply", ReservationReply.class,
          "table-update", TableUpdate.class);

  private final ObjectMapper mapper;

  /// For Pekko, which calls this by reflection.
  public LeaseSerializer(ExtendedActorSystem system) {
    mapper =
        CBORMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .addModule(actorRefs(system))
            .build();
  }

  @Override
  public int identifier() {
    return IDENTIFIER;
  }

  @Override
  public String manifest(Object value) {
    for (var type : TYPES.entrySet()) {
      if (type.getValue().isInstance(value)) {
        return type.getKey();
      }
    }
    throw new IllegalArgumentException("value: " + value.getClass() + " (expected: a Wire type)");
  }

  @Override
  public byte[] toBinary(Object value) {
    try {
      // By the type that has the name, so that the name of the value's own type is written.
      return mapper.writerFor(TYPES.get(manifest(value))).writeValueAsBytes(value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public Object fromBinary(byte[] bytes, String manifest) throws NotSerializableException {
    var type = TYPES.get(manifest);
    if (type == null) {
      throw new NotSerializableException(
          "manifest: " + manifest + " (expected: one of " + TYPES.keySet() + ")");
    }
    try {
      return mapper.readValue(bytes, type);
    } catch (IOException e) {
      var failure = new NotSerializableException(manifest + ": " + e.getMessage());
      failure.initCause(e);
      throw failure;
    }
  }

  @SuppressWarnings("rawtypes")
  private static SimpleModule actorRefs(ExtendedActorSystem system) {
    var typed = Adapter.toTyped(system);
    return new SimpleModule()
        .addSerializer(
            new StdSerializer<ActorRef>(ActorRef.class) {
              @Override
              public void serialize(ActorRef ref, JsonGenerator to, SerializerProvider provider)
                  throws IOException {
                ActorRef<?> any = ref;
                to.writeString(ActorRefResolver.get(typed).toSerializationFormat(any));
              }
            })
        .addDeserializer(
            ActorRef.class,
            new StdDeserializer<ActorRef>(ActorRef.class) {
              @Override
              public ActorRef deserialize(JsonParser from, DeserializationContext context)
                  throws IOException {
                return ActorRefResolver.get(typed).resolveActorRef(from.getText());
              }
            });
  }
}
