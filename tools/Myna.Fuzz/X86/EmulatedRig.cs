using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using Myna.Cpu;
using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Fuzz.X86;

/// <summary>
/// An emulated CPU set up as Linux sets up a process: 4-level tables that map a case's pages for user mode, segments with Linux's selectors, and a
/// handler for each exception that ends the case by writing to a port.
/// </summary>
internal sealed class EmulatedRig : IExecutor
{
    // Physical addresses; the supervisor sees all of it in the upper half, where Linux is.
    private const int RamSize = 0x10_0000, Tables = 0x1000, Gdt = 0xA000, Idt = 0xB000, Tss = 0xC000, Handlers = 0xD000, Boot = 0xE000, Frame = 0xF000, StackTop = 0x1_1000, Pages = 0x1_2000;
    private const ulong Kernel = 0xFFFF_8000_0000_0000;
    private const int KernelCode = 0x10, TaskSelector = 0x40;
    private const ushort Finisher = 0xF4;
    private const ulong Limit = 4_000_000;

    private readonly Ram _ram = new("fuzz", RamSize);
    private readonly X86Cpu _cpu;
    private readonly IDisposable? _translator;
    private readonly Timer _watchdog;
    private readonly bool _counted;
    private readonly int _cr2;
    private bool _finished;
    private volatile bool _timedOut;

    public EmulatedRig(string engine)
    {
        Name = engine;
        _counted = engine != "jit";
        var memory = new AddressSpace();
        memory.Map(0, _ram);
        var ports = new AddressSpace();
        ports.Map(Finisher, 1, "finisher", new FinishPort(this));
        _cpu = new X86Cpu(new X86CpuOptions { Model = Executors.Model, Memory = memory, Ports = ports, Clock = new ManualClock(), Random = static () => 0x0123_4567_89AB_CDEF }) { BlocksWhileWaiting = false };
        _translator = Executors.Attach(_cpu, _ram, engine);
        _watchdog = new Timer(_ =>
        {
            _timedOut = true;
            _cpu.Kick();
        });
        _cr2 = _cpu.Registers.First(r => r.Name == "cr2").Number;
        Reset();
    }

    private void Reset()
    {
        _ram.GetForWrite(0, RamSize).Clear();
        BuildTables();
        BuildDescriptors();
        int entry = BuildCode();
        _cpu.Reset();
        _cpu.Apply(new X86BootState(X86BootMode.Long64, Kernel + (ulong)entry)
        {
            Cr3 = Tables, Rsp = Kernel + StackTop, GdtBase = Kernel + Gdt, GdtLimit = 0x4F, CodeSelector = KernelCode, DataSelector = 0x18,
        });
        if (!Run())
            throw new InvalidOperationException($"{Name}: the set-up does not come to its end: pc {_cpu.Pc:x}");
    }

    public string Name { get; }

    private sealed class FinishPort(EmulatedRig rig) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            return false;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            rig._finished = true;
            rig._cpu.Kick();
            return true;
        }
    }

    private Span<byte> At(int physical, int length) => _ram.GetForWrite((ulong)physical, length);

    private void Put(int physical, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(At(physical, 8), value);

    private void BuildTables()
    {
        const ulong Present = 1, Writable = 2, User = 4, NoExecute = 1UL << 63;
        int next = Tables + 0x1000;
        int Table(int parent, int index, ulong rights)
        {
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(_ram.Get((ulong)(parent + (index * 8)), 8));
            if (entry == 0)
            {
                entry = (uint)next | rights;
                next += 0x1000;
                Put(parent + (index * 8), entry);
            }
            return (int)(entry & 0xFF000);
        }
        void Map(ulong virtualAddress, int physical, int size, ulong rights)
        {
            for (int at = 0; at < size; at += Layout.Page)
            {
                ulong address = virtualAddress + (ulong)at;
                int table = Tables;
                for (int shift = 39; shift > 12; shift -= 9)
                    table = Table(table, (int)(address >> shift & 511), Present | Writable | User);
                Put(table + ((int)(address >> 12 & 511) * 8), (uint)(physical + at) | rights);
            }
        }
        // Entries that the CPU would mark accessed and dirty.
        const ulong Used = 0x60;
        Map(Layout.Code, Pages, Layout.CodeSize, Present | Writable | User | Used);
        int data = Pages + Layout.CodeSize, stack = data + Layout.DataSize;
        Map(Layout.Data, data, Layout.WritableSize, Present | Writable | User | Used | NoExecute);
        Map(Layout.Data + Layout.WritableSize, data + Layout.WritableSize, Layout.DataSize - Layout.WritableSize, Present | User | Used | NoExecute);
        Map(Layout.Stack, stack, Layout.StackSize, Present | Writable | User | Used | NoExecute);
        // One large page.
        Put(Tables + (256 * 8), (uint)next | Present | Writable);
        Put(next, (uint)(next + 0x1000) | Present | Writable);
        Put(next + 0x1000, Present | Writable | Used | 0x80);
        if (next + 0x2000 > Gdt)
            throw new InvalidOperationException("the tables run into the descriptors");
    }

    private void BuildDescriptors()
    {
        // As Linux has them (arch/x86/include/asm/segment.h): 32-bit kernel code, 64-bit kernel code, kernel data, 32-bit user code, user data, 64-bit user code.
        ReadOnlySpan<ulong> descriptors = [0, 0x00CF9B000000FFFF, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFFB000000FFFF, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF, 0];
        for (int i = 0; i < descriptors.Length; i++)
            Put(Gdt + (i * 8), descriptors[i]);
        const ulong TssBase = Kernel + Tss;
        Put(Gdt + TaskSelector, 0x67 | ((TssBase & 0xFF_FFFF) << 16) | (0x89UL << 40) | ((TssBase >> 24 & 0xFF) << 56));
        Put(Gdt + TaskSelector + 8, TssBase >> 32);
        // RSP0.
        Put(Tss + 4, Kernel + StackTop);
        BinaryPrimitives.WriteUInt16LittleEndian(At(Tss + 0x66, 2), 0x68);
        for (int vector = 0; vector < 32; vector++)
        {
            ulong handler = Kernel + Handlers + (ulong)(vector * 16);
            // INT3 and INTO may be executed by user mode.
            ulong rights = vector is 3 or 4 ? 0xEEUL : 0x8E;
            Put(Idt + (vector * 16), (handler & 0xFFFF) | ((ulong)KernelCode << 16) | (rights << 40) | ((handler >> 16 & 0xFFFF) << 48));
            Put(Idt + (vector * 16) + 8, handler >> 32);
            // OUT imm8, AL and a jump to itself.
            new byte[] { 0xE6, (byte)Finisher, 0xEB, 0xFE }.CopyTo(At(Handlers + (vector * 16), 4));
        }
        BinaryPrimitives.WriteUInt16LittleEndian(At(Frame + 0x80, 2), 0x4F);
        Put(Frame + 0x82, Kernel + Gdt);
        BinaryPrimitives.WriteUInt16LittleEndian(At(Frame + 0x90, 2), 0x1FF);
        Put(Frame + 0x92, Kernel + Idt);
    }

    /// <summary>The set-up code; IRETQ, which starts a case, is the first instruction of the page.</summary>
    private int BuildCode()
    {
        bool xsave = Executors.Model.Has(CpuFeature.Xsave), avx = Executors.Model.Has(CpuFeature.Avx), bases = Executors.Model.Has(CpuFeature.FsGsBase);
        var c = new Assembler(64);
        c.iretq();
        c.nop();
        Label entry = c.CreateLabel();
        c.Label(ref entry);
        c.mov(rbx, Kernel + Frame);
        c.lgdt(__[rbx + 0x80]);
        c.lidt(__[rbx + 0x90]);
        c.mov(eax, TaskSelector);
        c.ltr(ax);
        // EFER: NXE and SCE.
        c.mov(ecx, 0xC000_0080);
        c.rdmsr();
        c.or(eax, 0x801);
        c.wrmsr();
        c.mov(rax, cr0);
        c.and(eax, unchecked((int)0xFFFF_FFF1));
        // MP, NE, WP, AM.
        c.or(eax, 0x5_0022);
        c.mov(cr0, rax);
        c.mov(rax, cr4);
        // PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE.
        c.or(eax, 0x620 | (bases ? 0x1_0000 : 0) | (xsave ? 0x4_0000 : 0));
        c.mov(cr4, rax);
        if (xsave)
        {
            c.mov(eax, avx ? 7 : 3);
            c.xor(edx, edx);
            c.xor(ecx, ecx);
            c.xsetbv();
        }
        c.mov(eax, Layout.DataSelector);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.mov(fs, ax);
        c.mov(gs, ax);
        c.@out((byte)Finisher, al);
        Label here = c.CreateLabel();
        c.Label(ref here);
        c.jmp(here);
        using var stream = new MemoryStream();
        c.Assemble(new StreamCodeWriter(stream), Kernel + Boot);
        stream.ToArray().CopyTo(At(Boot, (int)stream.Length));
        return Boot + 3;
    }

    private bool Run()
    {
        _finished = _timedOut = false;
        if (_counted)
        {
            _cpu.Run(Limit);
        }
        else
        {
            _watchdog.Change(2000, Timeout.Infinite);
            while (!_finished && !_timedOut)
                _cpu.Run();
            _watchdog.Change(Timeout.Infinite, Timeout.Infinite);
        }
        return _finished;
    }

    public bool Run(TestCase test, Outcome outcome)
    {
        test.Memory.CopyTo(At(Pages, Layout.MemorySize));
        test.WriteFrame(At(Frame, 40));
        ref X86Registers state = ref _cpu.State;
        test.Gpr.CopyTo(state.General);
        state.General[4] = Kernel + Frame;
        state.Bases[(int)SegmentRegister.Fs] = test.FsBase;
        state.Bases[(int)SegmentRegister.Gs] = test.GsBase;
        LoadFloat(ref state, test.Xsave);
        _cpu.Block.Context.Mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(test.Xsave.AsSpan(24));
        _cpu.RFlags = 2;
        _cpu.UpdateFlags();
        _cpu.Pc = Kernel + Boot;
        if (!Run())
        {
            Reset();
            return false;
        }
        outcome.Vector = (int)(_cpu.Pc - Kernel - Handlers) / 16;
        if (outcome.Vector is < 0 or > 31)
            throw new InvalidOperationException($"{Name}: pc {_cpu.Pc:x} is no handler's");
        // SS, RSP, RFLAGS, CS, RIP, and with some exceptions an error code, down from the top of the stack.
        bool hasError = outcome.Vector is 8 or (>= 10 and <= 14) or 17 or 21;
        Span<ulong> frame = MemoryMarshal.Cast<byte, ulong>(At(StackTop - 48, 48));
        outcome.ErrorCode = hasError ? frame[0] : 0;
        outcome.Rip = frame[1];
        outcome.Rflags = frame[3];
        ((ReadOnlySpan<ulong>)state.General).CopyTo(outcome.Gpr);
        outcome.Gpr[4] = frame[4];
        outcome.FsBase = state.Bases[(int)SegmentRegister.Fs];
        outcome.GsBase = state.Bases[(int)SegmentRegister.Gs];
        _cpu.TryReadRegister(_cr2, out ulong cr2);
        outcome.Cr2 = cr2;
        SaveFloat(ref state, outcome.Xsave);
        BinaryPrimitives.WriteUInt32LittleEndian(outcome.Xsave.AsSpan(24), _cpu.Block.Context.Mxcsr);
        _ram.Get(Pages, Layout.MemorySize).CopyTo(outcome.Memory);
        return true;
    }

    private static void LoadFloat(ref X86Registers state, ReadOnlySpan<byte> xsave)
    {
        state.X87Control = BinaryPrimitives.ReadUInt16LittleEndian(xsave);
        state.X87Status = BinaryPrimitives.ReadUInt16LittleEndian(xsave[2..]);
        state.X87Empty = (byte)~xsave[4];
        int top = state.X87Status >> 11 & 7;
        for (int i = 0; i < 8; i++)
        {
            ReadOnlySpan<byte> register = xsave[(32 + (i * 16))..];
            state.X87[(top + i) & 7] = Vector128.Create(BinaryPrimitives.ReadUInt64LittleEndian(register), BinaryPrimitives.ReadUInt16LittleEndian(register[8..]));
        }
        for (int i = 0; i < 16; i++)
        {
            state.Vector[i] = Vector128.Create(xsave.Slice(160 + (i * 16), 16));
            state.Vector[16 + i] = Vector128.Create(xsave.Slice(576 + (i * 16), 16));
        }
    }

    private static void SaveFloat(ref X86Registers state, Span<byte> xsave)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(xsave, state.X87Control);
        BinaryPrimitives.WriteUInt16LittleEndian(xsave[2..], state.X87Status);
        xsave[4] = (byte)~state.X87Empty;
        int top = state.X87Status >> 11 & 7;
        for (int i = 0; i < 8; i++)
        {
            Vector128<ulong> register = state.X87[(top + i) & 7];
            BinaryPrimitives.WriteUInt64LittleEndian(xsave[(32 + (i * 16))..], register[0]);
            BinaryPrimitives.WriteUInt16LittleEndian(xsave[(40 + (i * 16))..], (ushort)register[1]);
        }
        for (int i = 0; i < 16; i++)
        {
            state.Vector[i].CopyTo(xsave.Slice(160 + (i * 16), 16));
            state.Vector[16 + i].CopyTo(xsave.Slice(576 + (i * 16), 16));
        }
    }

    public void Dispose()
    {
        _watchdog.Dispose();
        _cpu.Dispose();
        _translator?.Dispose();
        _ram.Dispose();
    }
}
