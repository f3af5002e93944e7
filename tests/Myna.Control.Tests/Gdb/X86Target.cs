using Myna.Cpu;
using Myna.Cpu.Debugging;
using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using Myna.Jit.Memory;

namespace Myna.Control.Tests.Gdb;

/// <summary>An x86 CPU in 64-bit mode with a little program, and no board.</summary>
internal sealed class X86Target : CpuTarget, IDisposable
{
    public const ulong Code = 0x1000, Store = Code + 20, Call = Code + 28, Function = Code + 35, Counter = 0x2000;

    // RAX counts, is stored at Counter, and a function adds 2 to RBX; XMM0 gets RAX.
    private static readonly byte[] s_program =
    [
        0x0F, 0x20, 0xE1,                               // mov rcx, cr4
        0x81, 0xC9, 0x00, 0x06, 0x00, 0x00,             // or ecx, 0x600: OSFXSR, OSXMMEXCPT
        0x0F, 0x22, 0xE1,                               // mov cr4, rcx
        0x31, 0xC0,                                     // xor eax, eax
        0x48, 0xFF, 0xC0,                               // loop: inc rax
        0x90, 0x90, 0x90,                               // nop
        0x48, 0x89, 0x04, 0x25, 0x00, 0x20, 0x00, 0x00, // mov [0x2000], rax
        0xE8, 0x02, 0x00, 0x00, 0x00,                   // call function
        0xEB, 0xEB,                                     // jmp loop
        0x48, 0x83, 0xC3, 0x02,                         // function: add rbx, 2
        0x66, 0x48, 0x0F, 0x6E, 0xC0,                   // movq xmm0, rax
        0xC3,                                           // ret
    ];

    private bool _running;
    private readonly TaskCompletionSource<TargetExit> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Ram _ram = new("ram", 4 << 20);
    private readonly X86Cpu _cpu;

    public X86Target()
    {
        const ulong Tables = 0x10000;
        var memory = new AddressSpace();
        memory.Map(0, _ram);
        s_program.CopyTo(_ram.GetForWrite(Code, s_program.Length));
        // One page of 2 MiB.
        BitConverter.TryWriteBytes(_ram.GetForWrite(Tables, 8), Tables + 0x1003);
        BitConverter.TryWriteBytes(_ram.GetForWrite(Tables + 0x1000, 8), Tables + 0x2003);
        BitConverter.TryWriteBytes(_ram.GetForWrite(Tables + 0x2000, 8), 0x83UL);
        var pages = new CodePages();
        pages.Add(_ram);
        _cpu = new X86Cpu(new X86CpuOptions { Model = CpuModel.Parse("max"), Memory = memory, Ports = new AddressSpace(), Clock = new ManualClock() });
        pages.Add(_cpu.Block.Tlb);
        _cpu.Engine = _cpu.Stepper = new Interpreter(_cpu, pages);
        _cpu.Apply(new X86BootState(X86BootMode.Long64, Code) { Rsp = 0x8000, Cr3 = Tables, CodeSelector = 8, DataSelector = 16 });
    }

    public override IReadOnlyList<VirtualCpu> Cpus => [_cpu];
    public override Task<TargetExit> Ended => _ended.Task;
    public override bool IsRunning => _running;

    public override void Pause()
    {
        _cpu.Pause();
        _running = false;
    }

    protected override void Resume(IReadOnlyCollection<VirtualCpu> cpus)
    {
        _running = true;
        foreach (VirtualCpu cpu in cpus)
            cpu.Start();
    }

    public override void Reset() => _cpu.Reset();
    public override void Kill() => End(new TargetExit(0));

    public void End(TargetExit exit)
    {
        Pause();
        _ended.TrySetResult(exit);
    }

    public void Dispose()
    {
        _cpu.Dispose();
        _ram.Dispose();
    }
}
