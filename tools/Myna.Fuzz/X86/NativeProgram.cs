using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Fuzz.X86;

/// <summary>
/// The program that executes test cases on the host's processor, as a static ELF executable for Linux on x86-64. Its argument is
/// the file that holds control page, code, data and stack. For every byte on its standard input it loads the registers, goes to
/// the case's code, and when a signal ends that, leaves registers and signal frame in the control page and answers with a byte.
/// </summary>
internal static class NativeProgram
{
    // Where no likely value points.
    private const ulong Base = 0x5A3C_7000;
    private const ulong AlternateStack = 0x5B2D_5000;
    private const int AlternateStackSize = 0x1_0000;

    // Behind the alternate stack, in the same segment: the handler never returns, the loop goes on from it.
    private const ulong LoopStack = AlternateStack + AlternateStackSize + 0x1000 - 64;

    // Linux's numbers (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi).
    private const int Read = 0, Write = 1, Open = 2, Mmap = 9, Sigaction = 13, Setitimer = 38, Exit = 60, Sigaltstack = 131;
    private const int Shared = 1, Fixed = 0x10, Populate = 0x8000;
    private const int SigInfo = 4, Restorer = 0x0400_0000, OnStack = 0x0800_0000, NoDefer = 0x4000_0000;
    private const int VirtualTimer = 1;

    /// <summary>SIGVTALRM: the case ran too long.</summary>
    public const int Timeout = 26;

    // Bytes of the signal frame (arch/x86/include/uapi/asm/sigcontext.h): where the ucontext has its registers, how many
    // there are (R8 to R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, EFLAGS, selectors, ERR, TRAPNO, mask, CR2), and the pointer to the XSAVE area.
    private const int ContextRegisters = 40, FrameRegisters = 23, FloatPointer = ContextRegisters + (FrameRegisters * 8);

    /// <summary>The executable file.</summary>
    public static byte[] Build()
    {
        const int Headers = 64 + (2 * 56);
        byte[] code = Assemble(Base + Headers);
        byte[] file = new byte[Headers + code.Length];
        Span<byte> header = file;
        // Executable and Linkable Format: e_ident, then the fields of a 64-bit little-endian executable for EM_X86_64.
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header[18..], 62);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], Base + Headers);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(header[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(header[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(header[56..], 2);
        Segment(header[64..], 5, Base, (ulong)file.Length, (ulong)file.Length);
        Segment(header[120..], 6, AlternateStack, 0, AlternateStackSize + 0x1000);
        code.CopyTo(header[Headers..]);
        return file;
    }

    private static void Segment(Span<byte> header, uint flags, ulong address, ulong fileSize, ulong memorySize)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], flags);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], fileSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], memorySize);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], 0x1000);
    }

    private static byte[] Assemble(ulong origin)
    {
        var c = new Assembler(64);
        Label loop = c.CreateLabel(), handler = c.CreateLabel(), restorer = c.CreateLabel(), exit = c.CreateLabel();

        c.mov(rdi, __[rsp + 16]);
        c.mov(esi, 2);
        Call(c, Open);
        c.test(eax, eax);
        c.js(exit);
        c.mov(r12d, eax);
        Map(c, Layout.Control, Layout.Page, Layout.ControlFile, 3);
        Map(c, Layout.Code, Layout.CodeSize, Layout.CodeFile, 7);
        Map(c, Layout.Data, Layout.WritableSize, Layout.DataFile, 3);
        Map(c, Layout.Data + Layout.WritableSize, Layout.DataSize - Layout.WritableSize, Layout.DataFile + Layout.WritableSize, 1);
        Map(c, Layout.Stack, Layout.StackSize, Layout.StackFile, 3);

        // stack_t and struct sigaction are built on the stack: ss_sp, ss_flags, ss_size; handler, flags, restorer, mask.
        c.sub(rsp, 64);
        c.mov(rax, AlternateStack);
        c.mov(__[rsp], rax);
        c.mov(__qword_ptr[rsp + 8], 0);
        c.mov(__qword_ptr[rsp + 16], AlternateStackSize);
        c.mov(rdi, rsp);
        c.xor(esi, esi);
        Call(c, Sigaltstack);
        c.lea(rax, __[handler]);
        c.mov(__[rsp], rax);
        c.mov(__qword_ptr[rsp + 8], SigInfo | Restorer | OnStack | NoDefer);
        c.lea(rax, __[restorer]);
        c.mov(__[rsp + 16], rax);
        c.mov(__qword_ptr[rsp + 24], 0);
        foreach (int signal in (int[])[4, 5, 7, 8, 11, Timeout])
        {
            c.mov(edi, signal);
            c.mov(rsi, rsp);
            c.xor(edx, edx);
            c.mov(r10d, 8);
            Call(c, Sigaction);
        }

        c.Label(ref loop);
        c.mov(rsp, LoopStack);
        c.xor(edi, edi);
        c.lea(rsi, __[rsp]);
        c.mov(edx, 1);
        Call(c, Read);
        c.cmp(eax, 1);
        c.jne(exit);
        Timer(c, 100_000);
        c.mov(ebx, Layout.Control);
        c.mov(eax, Layout.DataSelector);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.mov(fs, ax);
        c.mov(gs, ax);
        c.mov(rax, __[rbx + Layout.InFsBase]);
        c.wrfsbase(rax);
        c.mov(rax, __[rbx + Layout.InGsBase]);
        c.wrgsbase(rax);
        c.mov(eax, 7);
        c.xor(edx, edx);
        c.xrstor64(__[rbx + Layout.InXsave]);
        AssemblerRegister64[] registers = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
        for (int i = 0; i < 16; i++)
        {
            if (i != 4)
                c.mov(registers[i], __qword_ptr[Layout.Control + Layout.InGpr + (i * 8)]);
        }
        c.mov(esp, Layout.Control + Layout.InFrame);
        c.iretq();

        // RDI: signal, RDX: ucontext. The kernel has cleared DF and TF; AC is as the case left it.
        c.Label(ref handler);
        c.push(2);
        c.popfq();
        c.mov(ebx, Layout.Control);
        c.mov(__[rbx + Layout.OutSignal], rdi);
        c.rdfsbase(rax);
        c.mov(__[rbx + Layout.OutFsBase], rax);
        c.rdgsbase(rax);
        c.mov(__[rbx + Layout.OutGsBase], rax);
        c.mov(r8, rdx);
        c.lea(rsi, __[r8 + ContextRegisters]);
        c.lea(rdi, __[rbx + Layout.OutRegisters]);
        c.mov(ecx, FrameRegisters);
        c.rep.movsq();
        c.mov(rsi, __[r8 + FloatPointer]);
        c.lea(rdi, __[rbx + Layout.OutXsave]);
        c.mov(ecx, Layout.XsaveSize / 8);
        c.rep.movsq();
        Timer(c, 0);
        c.mov(edi, 1);
        c.lea(rsi, __[rbx]);
        c.mov(edx, 1);
        Call(c, Write);
        c.jmp(loop);

        c.Label(ref restorer);
        c.ud2();
        c.Label(ref exit);
        c.xor(edi, edi);
        Call(c, Exit);

        using var stream = new MemoryStream();
        c.Assemble(new StreamCodeWriter(stream), origin);
        return stream.ToArray();
    }

    private static void Call(Assembler c, int number)
    {
        c.mov(eax, number);
        c.syscall();
    }

    private static void Map(Assembler c, uint address, int size, int offset, int protection)
    {
        c.mov(edi, address);
        c.mov(esi, size);
        c.mov(edx, protection);
        c.mov(r10d, Shared | Fixed | Populate);
        c.mov(r8d, r12d);
        c.mov(r9d, offset);
        Call(c, Mmap);
    }

    /// <summary>setitimer: the one-shot timer of the process's own time, in microseconds; 0 stops it.</summary>
    private static void Timer(Assembler c, int microseconds)
    {
        c.sub(rsp, 32);
        c.xor(eax, eax);
        c.mov(__[rsp], rax);
        c.mov(__[rsp + 8], rax);
        c.mov(__[rsp + 16], rax);
        c.mov(__qword_ptr[rsp + 24], microseconds);
        c.mov(edi, VirtualTimer);
        c.mov(rsi, rsp);
        c.xor(edx, edx);
        Call(c, Setitimer);
        c.add(rsp, 32);
    }
}
