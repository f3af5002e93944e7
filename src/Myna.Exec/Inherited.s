# Linked into the program of native code: what the process inherited before the runtime takes SIGPIPE for itself.
.intel_syntax noprefix
.text
look:
  mov eax, 13                       # rt_sigaction(SIGPIPE, 0, &action, 8)
  mov edi, 13
  xor esi, esi
  lea rdx, [rip+action]
  mov r10d, 8
  syscall
  ret
# int myna_pipe_ignored(): whether it was ignored
.globl myna_pipe_ignored
.type myna_pipe_ignored, @function
myna_pipe_ignored:
  xor eax, eax
  cmp qword ptr [rip+action], 1     # SIG_IGN
  sete al
  ret
.local action
.comm action, 32, 8
.section .init_array, "aw"
  .quad look
.section .note.GNU-stack, "", @progbits
