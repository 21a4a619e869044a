/* An object that the linker must refuse: it calls what nobody defines. */
void function_that_is_nowhere(void);
void run(void) { function_that_is_nowhere(); }
