/// Who is calling: bearer tokens and the clusters that they stand for.
@NullMarked
package dev.penstock.gateway.auth;

import org.jspecify.annotations.NullMarked;
