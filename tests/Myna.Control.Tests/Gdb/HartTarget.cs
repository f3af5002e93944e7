using System.Buffers.Binary;
using Myna.Cpu;
using Myna.Cpu.Debugging;
using Myna.Cpu.RiscV;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Control.Tests.Gdb;

/// <summary>Two harts with a little program, and no board.</summary>
internal sealed class HartTarget : CpuTarget, IDisposable
{
    public const ulong Base = 0x8000_0000, Loop = Base + 0x18, Store = Base + 0x1C, Load = Base + 0x20, Call = Base + 0x24,
        Function = Base + 0x2C, Counter = Base + 0x1000;

    // Each hart counts in a1, stores it at Counter + 8 × hart, loads it into a2 and calls a function that adds 2 to a3.
    static readonly uint[] Program =
    [
        0xF1402573, // csrr a0, mhartid
        0x00000593, // li a1, 0
        0x00001297, // auipc t0, 1
        0xFF828293, // addi t0, t0, -8
        0x00351313, // slli t1, a0, 3
        0x006282B3, // add t0, t0, t1
        0x00158593, // loop: addi a1, a1, 1
        0x00B2B023, // sd a1, 0(t0)
        0x0002B603, // ld a2, 0(t0)
        0x008000EF, // jal ra, function
        0xFF1FF06F, // j loop
        0x00268693, // function: addi a3, a3, 2
        0x00008067, // ret
    ];

    bool _running;
    readonly TaskCompletionSource<TargetExit> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Ram _ram = new("ram", 1 << 20);
    readonly Hart[] _harts;

    public HartTarget(int harts = 2)
    {
        var memory = new AddressSpace();
        memory.Map(Base, _ram);
        Span<byte> code = _ram.GetForWrite(0, Program.Length * 4);
        for (int i = 0; i < Program.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(code[(4 * i)..], Program[i]);
        var clock = new ManualClock();
        _harts = [.. Enumerable.Range(0, harts).Select(i =>
        {
            var hart = new Hart(new HartOptions { HartId = i, Memory = memory, Clock = clock, ResetVector = Base });
            hart.Engine = hart.Stepper = new Interpreter(hart);
            return hart;
        })];
    }

    public override IReadOnlyList<VirtualCpu> Cpus => _harts;
    public override Task<TargetExit> Ended => _ended.Task;
    public override bool IsRunning => _running;

    public override void Pause()
    {
        foreach (Hart hart in _harts)
            hart.RequestPause();
        foreach (Hart hart in _harts)
            hart.WaitUntilPaused();
        _running = false;
    }

    protected override void Resume(IReadOnlyCollection<VirtualCpu> cpus)
    {
        _running = true;
        foreach (VirtualCpu cpu in cpus)
            cpu.Start();
    }

    public override void Reset()
    {
        foreach (Hart hart in _harts)
            hart.Reset();
    }

    public override void Kill() => End(new TargetExit(0));

    public void End(TargetExit exit)
    {
        Pause();
        _ended.TrySetResult(exit);
    }

    public void Dispose()
    {
        foreach (Hart hart in _harts)
            hart.Dispose();
        _ram.Dispose();
    }
}
