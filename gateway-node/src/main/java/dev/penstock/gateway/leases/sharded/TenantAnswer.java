package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/// What a tenant's entity says to one request.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
  @JsonSubTypes.Type(value = TenantAnswer.Granted.class, name = "granted"),
  @JsonSubTypes.Type(value = TenantAnswer.Refused.class, name = "refused"),
  @JsonSubTypes.Type(value = TenantAnswer.Unavailable.class, name = "unavailable")
})
sealed interface TenantAnswer {
  record Granted(BlockAnswer.Granted granted) implements TenantAnswer {}

  record Refused(Refusal why, String text) implements TenantAnswer {}

  /// A block did not answer; whether it granted the port will be known when it does.
  record Unavailable() implements TenantAnswer {}

  enum Refusal {
    CONFLICT,
    EXHAUSTED,
    OVER_QUOTA
  }
}
