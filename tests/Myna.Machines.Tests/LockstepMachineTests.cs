using System.Buffers.Binary;
using Myna.Cpu;
using Myna.Cpu.RiscV;
using Myna.Hardware.Time;

namespace Myna.Machines.Tests;

/// <summary>Two machines that do the same, and two that do not.</summary>
public sealed class LockstepMachineTests : IDisposable
{
    private readonly string _kernel = Path.GetTempFileName();

    /// <summary>Code that starts in M-mode at the start of RAM.</summary>
    private MachineOptions Options(params uint[] code)
    {
        byte[] bytes = new byte[code.Length * 4];
        for (int i = 0; i < code.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), code[i]);
        File.WriteAllBytes(_kernel, bytes);
        return new MachineOptions { Kernel = _kernel, Firmware = MachineOptions.FirmwareNone, Memory = 1 << 20, CountInstructions = true, Accel = Accel.Interp };
    }

    // A loop of 1000 rounds, then 0x5555 to the test finisher.
    private static readonly uint[] Loop =
    [
        0x3e800293, // li t0, 1000
        0x00528333, // add t1, t0, t0      (round:)
        0xfff28293, // addi t0, t0, -1
        0xfe029ce3, // bnez t0, round
        0x00100337, // lui t1, 0x100
        0x000053b7, // lui t2, 5
        0x55538393, // addi t2, t2, 0x555
        0x00732023, // sw t2, 0(t1)
        0x0000006f, // j .
    ];

    [Fact]
    public void A_guest_runs_alike_until_it_powers_off()
    {
        if (!HartTranslator.IsSupported)
            return;
        using var machine = new LockstepMachine(Options(Loop));
        LockstepResult result = machine.Run(1_000_000);
        Assert.True(result.Difference is null, result.Difference);
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 0), result.Exit);
        Assert.InRange(result.Instructions, 3000UL, 4000UL);
    }

    [Fact]
    public void A_guest_that_waits_for_ever_ends_the_run()
    {
        if (!HartTranslator.IsSupported)
            return;
        // wfi; j -4
        using var machine = new LockstepMachine(Options(0x10500073, 0xffdff06f));
        LockstepResult result = machine.Run(1_000_000);
        Assert.True(result.Difference is null, result.Difference);
        Assert.Null(result.Exit);
    }

    [Fact]
    public void A_difference_is_reported_with_the_instructions_before_it()
    {
        using var reference = Machine.Create(Options(Loop) with { Clock = new ManualClock() });
        using var subject = Machine.Create(Options(Loop) with { Clock = new ManualClock() });
        var lockstep = new Lockstep((EmulatedCpu)reference.Cpus[0], (EmulatedCpu)subject.Cpus[0]);
        for (int i = 0; i < 5; i++)
            Assert.Null(lockstep.Step());
        // t0 is x5.
        subject.Cpus[0].TryWriteRegister(5, 12345);
        string? report = lockstep.Step();
        Assert.NotNull(report);
        Assert.Contains("addi t0, t0, -1", report, StringComparison.Ordinal);
        Assert.Contains("t0 ", report, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_with_a_pace_of_their_own_are_refused()
        => Assert.Throws<MachineException>(() => new LockstepMachine(Options(Loop) with { Devices = [new NetDevice(null!)] }));

    public void Dispose() => File.Delete(_kernel);
}
