package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;
import java.util.Map;

/// A tenant's reply to a node.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
  @JsonSubTypes.Type(value = TenantReply.Leased.class, name = "leased"),
  @JsonSubTypes.Type(value = TenantReply.Ended.class, name = "ended"),
  @JsonSubTypes.Type(value = TenantReply.Unavailable.class, name = "unavailable")
})
sealed interface TenantReply extends Wire {
  /// One answer for each request, in their order.
  record Leased(List<TenantAnswer> answers) implements TenantReply {
    public Leased {
      answers = List.copyOf(answers);
    }
  }

  /// Everything that was asked for has ended.
  ///
  /// @param revisions of those that lived, by id
  record Ended(Map<String, Long> revisions) implements TenantReply {
    public Ended {
      revisions = Map.copyOf(revisions);
    }
  }

  /// A block did not answer, or too much is waiting already.
  record Unavailable() implements TenantReply {}
}
