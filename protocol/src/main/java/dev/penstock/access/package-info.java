/// Who may connect: address blocks and the rules made of them, as settings and registrations say
/// them. Pure.
@NullMarked
package dev.penstock.access;

import org.jspecify.annotations.NullMarked;
