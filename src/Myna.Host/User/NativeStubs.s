.intel_syntax noprefix
.text
base:
# data page at base + 0x1000
.set data, base + 0x1000
.set CACHE_START, 0
.set CACHE_END, 8
.set FAULT_THUNK, 16
.set FAULT_RIP, 24      # displacement of the field from rbp
.set ARENA_START, 32
.set ARENA_END, 40
.set PID, 48
.set LEADER, 56
.set BLOCKED, 64
.set GATE, 128
.set OLD, 0x200

# 0: restorer
restorer:
  mov eax, 15
  syscall
.balign 16
# signal handler (edi signal, rsi siginfo, rdx ucontext) for signals that instructions raise
fault:
  cmp dword ptr [rsi+8], 0
  jle record
  mov rax, [rdx+168]
  cmp rax, [rip+data+CACHE_START]
  jb 1f
  cmp rax, [rip+data+CACHE_END]
  jae 1f
  mov rcx, [rdx+120]
  add rcx, [rip+data+FAULT_RIP]
  mov [rcx], rax
  mov rax, [rip+data+FAULT_THUNK]
  mov [rdx+168], rax
  ret
1:
  lea rcx, [rip+safe]
  cmp rax, rcx
  jb 2f
  lea rcx, [rip+failed]
  cmp rax, rcx
  jae 2f
  mov [rdx+168], rcx
  ret
2:
  lea rax, [rip+data+OLD]
  mov eax, edi
  lea rcx, [rip+data+OLD]
  jmp [rcx+rax*8]
.balign 16
record:
  mov rax, rsp
  and rax, -65536
  cmp rax, [rip+data+ARENA_START]
  jb foreign
  cmp rax, [rip+data+ARENA_END]
  jae foreign
  # a debugger wants the thread out of its system call: nothing of it reaches the guest
  cmp edi, 5
  jne 3f
  cmp dword ptr [rax+12], 0
  jne 4f
3:
  mov r8, rdi
  lea rdi, [rax+16]
  mov ecx, 16
  rep movsq
  mov [rax+8], r8d
  mov rcx, [rax]
  test rcx, rcx
  jz 1f
  lock or dword ptr [rcx], 64
1:
  mov rcx, [rip+data+BLOCKED]
  mov [rdx+296], rcx
4:
  mov rcx, [rdx+168]
  lea rax, [rip+window]
  cmp rcx, rax
  jb 2f
  lea rax, [rip+window_end]
  cmp rcx, rax
  jae 2f
  lea rax, [rip+interrupted]
  mov [rdx+168], rax
2:
  ret
.balign 16
foreign:
  # a thread of the runtime's: the first guest thread gets it
  mov rcx, [rip+data+BLOCKED]
  mov [rdx+296], rcx
  mov r10, rsi
  mov edx, edi
  mov rdi, [rip+data+PID]
  mov rsi, [rip+data+LEADER]
  mov eax, 297
  syscall
  ret
.balign 16
# long interruptible(slot rdi, long* arguments rsi)
interruptible:
  push rbx
  push r12
  mov rbx, rdi
  mov rax, [rsi]
  mov rdi, [rsi+8]
  mov rdx, [rsi+24]
  mov r10, [rsi+32]
  mov r8, [rsi+40]
  mov r9, [rsi+48]
  mov rsi, [rsi+16]
  # not in C# from here on: the process may be forked
  mov dword ptr [rbx+192], 1
window:
  # a signal waits, or a debugger
  cmp qword ptr [rbx+8], 0
  jne interrupted
  syscall
window_end:
  mov r12, rax
again:
  xor ecx, ecx
  xchg [rbx+192], ecx
  cmp dword ptr [rip+data+GATE], 0
  jne wait
  mov rax, r12
  pop r12
  pop rbx
  ret
wait:
  mov dword ptr [rbx+192], 1
  lea rdi, [rip+data+GATE]
  xor esi, esi
  mov edx, 1
  xor r10d, r10d
  mov eax, 202
  syscall
  jmp again
interrupted:
  mov rax, -512
  jmp window_end
.balign 16
# long plain(long* arguments rdi)
plain:
  mov rax, [rdi]
  mov rsi, [rdi+16]
  mov rdx, [rdi+24]
  mov r10, [rdi+32]
  mov r8, [rdi+40]
  mov r9, [rdi+48]
  mov rdi, [rdi+8]
  syscall
  ret
.balign 16
# From here to 'failed' a fault makes the routine return rcx.
safe:
# long copy(to rdi, from rsi, bytes rdx): bytes not copied
copy:
  mov rcx, rdx
  rep movsb
  mov rax, rcx
  ret
.balign 16
# int load1(address rdi, ulong* to rsi) and so on
load1:
  mov ecx, 1
  movzx eax, byte ptr [rdi]
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
load2:
  mov ecx, 1
  movzx eax, word ptr [rdi]
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
load4:
  mov ecx, 1
  mov eax, dword ptr [rdi]
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
load8:
  mov ecx, 1
  mov rax, qword ptr [rdi]
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
store1:
  mov ecx, 1
  mov byte ptr [rdi], sil
  xor eax, eax
  ret
.balign 16
store2:
  mov ecx, 1
  mov word ptr [rdi], si
  xor eax, eax
  ret
.balign 16
store4:
  mov ecx, 1
  mov dword ptr [rdi], esi
  xor eax, eax
  ret
.balign 16
store8:
  mov ecx, 1
  mov qword ptr [rdi], rsi
  xor eax, eax
  ret
.balign 16
# int exchange1(address rdi, ulong* expected rsi, ulong desired rdx)
exchange1:
  mov ecx, 1
  mov rax, [rsi]
  lock cmpxchg byte ptr [rdi], dl
  movzx eax, al
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
exchange2:
  mov ecx, 1
  mov rax, [rsi]
  lock cmpxchg word ptr [rdi], dx
  movzx eax, ax
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
exchange4:
  mov ecx, 1
  mov rax, [rsi]
  lock cmpxchg dword ptr [rdi], edx
  mov eax, eax
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
exchange8:
  mov ecx, 1
  mov rax, [rsi]
  lock cmpxchg qword ptr [rdi], rdx
  mov [rsi], rax
  xor eax, eax
  ret
.balign 16
# int load16(address rdi, UInt128* to rsi)
load16:
  mov ecx, 1
  movups xmm0, [rdi]
  movups [rsi], xmm0
  xor eax, eax
  ret
.balign 16
store16:
  mov ecx, 1
  movups xmm0, [rsi]
  movups [rdi], xmm0
  xor eax, eax
  ret
.balign 16
failed:
  mov rax, rcx
  ret
.balign 16
# signal handler: blocks all signals of the thread from now on
block:
  mov rcx, [rip+data+BLOCKED]
  mov [rdx+296], rcx
  ret
.globl end
end:
