package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;

/// A block's reply to a tenant.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
  @JsonSubTypes.Type(value = BlockReply.Leased.class, name = "leased"),
  @JsonSubTypes.Type(value = BlockReply.Done.class, name = "done"),
  @JsonSubTypes.Type(value = BlockReply.Stale.class, name = "stale")
})
sealed interface BlockReply extends Wire {
  /// That of the request.
  long attempt();

  record Leased(long attempt, List<BlockAnswer> answers, int free, int kept) implements BlockReply {
    public Leased {
      answers = List.copyOf(answers);
    }
  }

  record Done(long attempt) implements BlockReply {}

  /// Nothing was done: the tenant has gone on since it asked.
  record Stale(long attempt) implements BlockReply {}
}
