package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a block tells those who follow its table. The revision of a table is the number of the last
/// event in it, so that whoever lags behind, a follower or an owner of before, is known to.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
  @JsonSubTypes.Type(value = TableUpdate.Delta.class, name = "delta"),
  @JsonSubTypes.Type(value = TableUpdate.Page.class, name = "page")
})
sealed interface TableUpdate extends Wire {
  BlockId block();

  /// What changed from one revision to the next. The same revision twice says that nothing has.
  record Delta(BlockId block, long base, long revision, List<BlockEvent.Line> lines)
      implements TableUpdate {
    public Delta {
      lines = List.copyOf(lines);
    }
  }

  /// A part of the whole table.
  ///
  /// @param part from 0
  /// @param parts how many there are, at least 1
  /// @param attempts the highest number of a request that is in the table, by tenant
  record Page(
      BlockId block,
      long revision,
      int part,
      int parts,
      List<BlockEvent.Held> tunnels,
      Map<String, Long> attempts)
      implements TableUpdate {
    public Page(
        BlockId block,
        long revision,
        int part,
        int parts,
        List<BlockEvent.Held> tunnels,
        @Nullable Map<String, Long> attempts) {
      this.block = block;
      this.revision = revision;
      this.part = part;
      this.parts = parts;
      this.tunnels = List.copyOf(tunnels);
      // Nodes of before tell none.
      this.attempts = attempts == null ? Map.of() : Map.copyOf(attempts);
    }
  }
}
