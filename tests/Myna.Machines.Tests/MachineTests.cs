using Myna.Hardware.Memory;
using Myna.Machines.Tests.Support;

namespace Myna.Machines.Tests;

/// <summary>Whole machines with programs of a few instructions, under both engines.</summary>
public sealed class MachineTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly Scratch _scratch = new();
    private readonly Recorder _console = new();

    public static TheoryData<Accel> Engines => [Accel.Interp, Accel.Auto];

    public void Dispose() => _scratch.Dispose();

    private MachineOptions Bare(byte[] image, Accel accel = Accel.Interp) => new()
    {
        Kernel = _scratch.Write("kernel", image), Firmware = MachineOptions.FirmwareNone, Memory = 16 << 20, Accel = accel, Console = _console,
    };

    private static MachineExit Run(MachineOptions options)
    {
        using Machine machine = Machine.Create(options);
        machine.Start();
        using var patience = new CancellationTokenSource(s_patience);
        return machine.WaitForExit(patience.Token);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void The_finisher_ends_the_machine_with_the_guests_status(Accel accel)
    {
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 0), Run(Bare(new Rv().Finish(0x5555).ToArray(), accel)));
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 42), Run(Bare(new Rv().Finish(42 << 16 | 0x3333).ToArray(), accel)));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void What_the_guest_prints_arrives_before_the_machine_has_ended(Accel accel)
    {
        Run(Bare(new Rv().Print("hello from M-mode\n").Finish(0x5555).ToArray(), accel));
        Assert.Equal("hello from M-mode\n", _console.Text);
    }

    /// <summary>Code in flash goes on while another part of it is programmed from RAM, and sees what was programmed.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void The_firmware_for_S_mode_runs_from_flash(Accel accel)
    {
        // A program in RAM writes to flash, where code that executes from there cannot; then it comes back.
        var inRam = new Rv();
        inRam.Li(Rv.T0, 0x2000_1000).Li(Rv.T1, 0x0040_0040).Sw(Rv.T1, Rv.T0, 0).Li(Rv.T1, 0x2a << 16 | 0x3333).Sw(Rv.T1, Rv.T0, 0);
        inRam.Li(Rv.T1, 0x00ff_00ff).Sw(Rv.T1, Rv.T0, 0).Word(0x0000_8067 /* ret */);
        byte[] routine = inRam.ToArray();
        var code = new Rv();
        code.Li(Rv.T0, 0x8010_0000);
        for (int i = 0; i < routine.Length; i += 4)
            code.Li(Rv.T1, System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(routine.AsSpan(i))).Sw(Rv.T1, Rv.T0, i);
        code.Word(0x0000_100f /* fence.i */).Word(0x0002_80e7 /* jalr ra, t0 */);
        code.Li(Rv.T0, 0x2000_1000).Lw(Rv.T1, Rv.T0, 0).Li(Rv.T0, 0x10_0000).Sw(Rv.T1, Rv.T0, 0).Loop();
        byte[] flash = new byte[0x2000];
        flash.AsSpan().Fill(0xff);
        code.ToArray().CopyTo(flash, 0);
        var options = new MachineOptions
        {
            Flash = _scratch.Write("flash", flash), Firmware = MachineOptions.FirmwareBuiltIn, Memory = 16 << 20, Accel = accel, Console = _console,
        };
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 42), Run(options));
    }

    // The image's first word counts runs in RAM; a word outside it survives a reset, the image itself is loaded anew.
    private static byte[] TwoRuns()
    {
        var code = new Rv();
        code.Li(Rv.A0, 0x8010_0000).Lw(Rv.T1, Rv.A0, 0).Addi(Rv.T0, Rv.Zero, 1);
        code.Bne(Rv.T1, Rv.Zero, 8 + 4 * 11 + 4).Sw(Rv.T0, Rv.A0, 0);
        int before = code.Position;
        code.Finish(0x7777);
        Assert.Equal(4 * 12, code.Position - before);
        return code.Print("again").Finish(7 << 16 | 0x3333).ToArray();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_reset_by_the_guest_starts_it_again(Accel accel)
    {
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 7), Run(Bare(TwoRuns(), accel)));
        Assert.Equal("again", _console.Text);
    }

    [Fact]
    public void Without_reboot_a_reset_ends_the_machine()
        => Assert.Equal(new MachineExit(ExitReason.Reset, 0), Run(Bare(TwoRuns()) with { NoReboot = true }));

    [Theory]
    [MemberData(nameof(Engines))]
    public void Every_hart_starts_with_its_number_and_the_device_tree(Accel accel)
    {
        // Each hart stores a1's first word at 0x80100000 + 8 * hartid; hart 3 then waits for the others and ends.
        var code = new Rv();
        code.Li(Rv.T0, 0x8010_0000).Slli(Rv.T1, Rv.A0, 3).Word(0x00530333 /* add t1, t1, t0 */).Lw(Rv.A1, Rv.A1, 0).Sw(Rv.A1, Rv.T1, 0);
        code.Addi(Rv.A7, Rv.Zero, 3);
        code.Word(0x01150463 /* beq a0, a7, +8 */).Loop();
        foreach (int hart in new[] { 0, 1, 2 })
            code.Lw(Rv.T1, Rv.T0, hart * 8).Word(0xfe030ee3 /* beq t1, zero, -4 */);
        code.Finish(0x5555);
        MachineOptions options = Bare(code.ToArray(), accel) with { Cpus = 4 };
        using Machine machine = Machine.Create(options);
        machine.Start();
        using var patience = new CancellationTokenSource(s_patience);
        Assert.Equal(0, machine.WaitForExit(patience.Token).Status);
        for (ulong hart = 0; hart < 4; hart++)
        {
            Assert.True(machine.Memory.Load(0x8010_0000 + 8 * hart, 4, out ulong magic));
            Assert.Equal(0xedfe0dd0u, magic);
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void The_built_in_sbi_starts_the_kernel_in_s_mode_and_powers_off(Accel accel)
    {
        // SBI debug console: write byte; then system reset: shutdown (SBI 2.0, chapters 12 and 10).
        var code = new Rv();
        code.Addi(Rv.A0, Rv.Zero, 'S').Li(Rv.A7, 0x4442434e).Addi(16, Rv.Zero, 2).Ecall();
        code.Addi(Rv.A0, Rv.Zero, 0).Addi(Rv.A1, Rv.Zero, 0).Li(Rv.A7, 0x53525354).Addi(16, Rv.Zero, 0).Ecall().Loop();
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 0), Run(Bare(code.ToArray(), accel) with { Firmware = MachineOptions.FirmwareBuiltIn }));
        Assert.Equal("S", _console.Text);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void An_elf_with_tohost_ends_by_it_and_its_signature_is_written(Accel accel)
    {
        var code = new Rv();
        code.Li(Rv.T0, 0x8000_1000).Addi(Rv.T1, Rv.Zero, 9 << 1 | 1).Sd(Rv.T1, Rv.T0, 0).Loop();
        byte[] image = new byte[0x3000];
        code.ToArray().CopyTo(image, 0);
        for (int i = 0; i < 16; i++)
            image[0x2000 + i] = (byte)i;
        var elf = new Elf(image)
        {
            Symbols = { ["tohost"] = 0x8000_1000, ["fromhost"] = 0x8000_1040, ["begin_signature"] = 0x8000_2000, ["end_signature"] = 0x8000_2010 },
        };
        string signature = _scratch.Path("signature");
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 9), Run(Bare(elf.ToArray(), accel) with { Signature = signature }));
        Assert.Equal("03020100\n07060504\n0b0a0908\n0f0e0d0c\n", File.ReadAllText(signature));
        Run(Bare(elf.ToArray(), accel) with { Signature = signature, SignatureGranularity = 8 });
        Assert.Equal("0706050403020100\n0f0e0d0c0b0a0908\n", File.ReadAllText(signature));
    }

    [Fact]
    public void A_signature_without_its_symbols_is_an_error()
    {
        MachineExit exit = Run(Bare(new Rv().Finish(0x5555).ToArray()) with { Signature = _scratch.Path("signature") });
        Assert.Equal((ExitReason.InternalError, 1), (exit.Reason, exit.Status));
        Assert.Contains("begin_signature", exit.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_paused_machine_stands_still_and_goes_on(Accel accel)
    {
        // Counts in memory for ever.
        byte[] image = new Rv().Li(Rv.T0, 0x8010_0000).Addi(Rv.T1, Rv.T1, 1).Sw(Rv.T1, Rv.T0, 0).Word(0xff9ff06f /* j -8 */).ToArray();
        using Machine machine = Machine.Create(Bare(image, accel));
        machine.Start();
        WaitForChange(machine);
        machine.Pause();
        Assert.Equal(MachineState.Paused, machine.State);
        (ulong count, ulong time) = (Count(machine), machine.Clock.Now);
        Assert.True(machine.Cpus[0].IsPaused);
        byte[] state = machine.SaveState();
        Assert.Equal((count, time), (Count(machine), machine.Clock.Now));
        machine.LoadState(state);
        Assert.Equal(state, machine.SaveState());
        machine.Resume();
        WaitForChange(machine);
        machine.Reset();
        WaitForChange(machine);
        machine.PowerOff();
        Assert.Equal(new MachineExit(ExitReason.Host, 0), machine.WaitForExit());
    }

    private static ulong Count(Machine machine)
    {
        Assert.True(machine.Memory.Load(0x8010_0000, 4, out ulong count));
        return count;
    }

    private static void WaitForChange(Machine machine)
    {
        ulong before = Count(machine);
        Assert.True(SpinWait.SpinUntil(() => Count(machine) != before, s_patience));
    }

    [Fact]
    public async Task Disposing_a_machine_that_never_started_or_still_runs_is_harmless()
    {
        byte[] image = new Rv().Wfi().Loop().ToArray();
        Machine.Create(Bare(image)).Dispose();
        Machine machine = Machine.Create(Bare(image));
        machine.Start();
        machine.Dispose();
        machine.Dispose();
        Assert.Equal(ExitReason.Host, (await machine.Ended).Reason);
    }
}
