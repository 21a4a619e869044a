/* A shared object with the notes of a built model, whose digests cover nothing yet. */
#include <stdint.h>

__asm__(
    ".section .note.hone,\"a\",@note\n.balign 4\n"
    ".long 5, 904, 1\n.asciz \"hone\"\n.zero 3\n"
    ".long 1, 2\n.long 2, 0\n.quad 0x200, 64\n.zero 32\n.long 3, 0\n.quad 0x300, 64\n.zero 32\n.zero 784\n"
    ".long 5, 8, 2\n.asciz \"hone\"\n.zero 3\n.asciz \"cpu=one\"\n.previous\n");
const char hone_weights[64] = {1};
int32_t hone_model_verify(void) { return hone_weights[0]; }
