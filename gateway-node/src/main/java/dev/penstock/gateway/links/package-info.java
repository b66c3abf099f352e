/// Agents' links: who may link, who is linked, which link takes the next stream.
@NullMarked
package dev.penstock.gateway.links;

import org.jspecify.annotations.NullMarked;
