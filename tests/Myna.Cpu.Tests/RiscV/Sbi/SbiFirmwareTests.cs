using Myna.Cpu.RiscV.Sbi;

namespace Myna.Cpu.Tests.RiscV.Sbi;

public sealed class SbiFirmwareTests
{
    private const ulong Ram = 0x8000_0000;
    private const ulong Hsm = 0x48534D, Rfence = 0x52464E43, Ipi = 0x735049, Pmu = 0x504D55, Dbcn = 0x4442434E, Srst = 0x53525354;

    private sealed class FakeHart(int id, Platform platform) : ISbiHart
    {
        public readonly ulong[] A = new ulong[8];
        public readonly List<RemoteFence> Performed = [];
        public readonly Queue<RemoteFence> Posted = new();
        public readonly bool[] Counting = [true, false, true];
        public readonly ulong[] Counters = new ulong[3];
        public bool Ssip;
        public ulong Stimecmp;
        public (ulong Address, ulong Opaque)? StartedAt;

        public int HartId => id;
        public ulong GetArgument(int index) => A[index];
        public void SetArgument(int index, ulong value) => A[index] = value;
        public ulong VendorId => 0;
        public ulong ArchitectureId => 0x11;
        public ulong ImplementationId => 0x22;
        public HartState HsmState { get; set; }
        public void SetTimer(ulong time) => Stimecmp = time;
        public void SetSupervisorSoftwareInterrupt(bool pending) => Ssip = pending;

        public bool TryStart(ulong address, ulong opaque)
        {
            if (HsmState != HartState.Stopped)
                return false;
            HsmState = HartState.Started;
            StartedAt = (address, opaque);
            return true;
        }

        public void Stop() => HsmState = HartState.Stopped;
        public void SuspendRetentive() => HsmState = HartState.Suspended;
        public void SuspendNonRetentive(ulong address, ulong opaque) => (HsmState, StartedAt) = (HartState.Suspended, (address, opaque));
        public void Perform(RemoteFence fence) => Performed.Add(fence);
        public void Post(RemoteFence fence) => Posted.Enqueue(fence);

        public void PerformPosted()
        {
            while (Posted.TryDequeue(out RemoteFence? fence))
                Performed.Add(fence);
        }

        public bool IsExecutingWithPending(RemoteFence fence)
        {
            // Performs only after it was asked twice, and only when its peer serves its own queue meanwhile.
            if (HsmState == HartState.Started && Posted.Contains(fence) && platform.Polls++ > 2)
                PerformPosted();
            return HsmState == HartState.Started && Posted.Contains(fence);
        }

        public void EnableCounter(int counter, bool on) => Counting[counter] = on;
        public bool IsCounterEnabled(int counter) => Counting[counter];
        public void WriteCounter(int counter, ulong value) => Counters[counter] = value;
        public bool TryReadVirtual(ulong address, out ulong value) => (value = address == 0x1000 ? 0b10UL : 0) != 0;
    }

    private sealed class Platform : ISbiPlatform
    {
        public readonly byte[] Memory = new byte[4096];
        public readonly List<byte> Output = [];
        public readonly Queue<byte> Input = new();
        public readonly FakeHart[] All;
        public (SystemResetType Type, bool Failure)? Ended;
        public int Polls;

        public Platform(int harts)
        {
            All = [.. Enumerable.Range(0, harts).Select(i => new FakeHart(i, this))];
            foreach (FakeHart hart in All[1..])
                hart.HsmState = HartState.Stopped;
            Firmware = new SbiFirmware(this);
        }

        public SbiFirmware Firmware { get; }
        public IReadOnlyList<ISbiHart> Harts => All;

        public bool ReadPhysical(ulong address, Span<byte> destination)
            => address >= Ram && address - Ram <= (ulong)(Memory.Length - destination.Length)
                && Memory.AsSpan((int)(address - Ram), destination.Length).TryCopyTo(destination);

        public bool WritePhysical(ulong address, ReadOnlySpan<byte> source)
            => address >= Ram && address - Ram <= (ulong)(Memory.Length - source.Length)
                && source.TryCopyTo(Memory.AsSpan((int)(address - Ram)));

        public void ConsoleWrite(ReadOnlySpan<byte> bytes) => Output.AddRange(bytes);

        public int ConsoleRead(Span<byte> bytes)
        {
            int n = 0;
            while (n < bytes.Length && Input.TryDequeue(out bytes[n]))
                n++;
            return n;
        }

        public void SystemReset(SystemResetType type, bool failure) => Ended = (type, failure);

        public (long Error, ulong Value) Call(int hart, ulong extension, ulong function, params ulong[] arguments)
        {
            FakeHart h = All[hart];
            h.A.AsSpan().Clear();
            arguments.CopyTo(h.A.AsSpan());
            (h.A[7], h.A[6]) = (extension, function);
            Firmware.Call(h);
            return ((long)h.A[0], h.A[1]);
        }
    }

    [Fact]
    public void Base_reports_version_2_and_probes_what_exists()
    {
        var p = new Platform(1);
        Assert.Equal((0, 0x0200_0000UL), p.Call(0, 0x10, 0));
        Assert.Equal((0, 0x11UL), p.Call(0, 0x10, 5));
        foreach (ulong offered in new ulong[] { 0x10, 0x54494D45, Ipi, Rfence, Hsm, Srst, Pmu, Dbcn, 0UL, 8UL })
            Assert.Equal((0, 1UL), p.Call(0, 0x10, 3, offered));
        Assert.Equal((0, 0UL), p.Call(0, 0x10, 3, 0x53555350));
        Assert.Equal((-2, 0UL), p.Call(0, 0x12345678, 0));
        Assert.Equal((-2, 0UL), p.Call(0, 0x10, 7));
    }

    [Fact]
    public void Ipi_reaches_exactly_the_harts_of_the_mask()
    {
        var p = new Platform(4);
        Assert.Equal(0, p.Call(0, Ipi, 0, 0b101, 1).Error);
        Assert.Equal([false, true, false, true], p.All.Select(h => h.Ssip));
        Assert.Equal(-3, p.Call(0, Ipi, 0, 0b1000, 1).Error);
        Assert.Equal(0, p.Call(0, Ipi, 0, 0, ulong.MaxValue).Error);
        Assert.All(p.All, h => Assert.True(h.Ssip));
    }

    [Fact]
    public void Remote_fence_waits_for_running_harts_and_performs_its_own_meanwhile()
    {
        var p = new Platform(3);
        p.All[1].HsmState = HartState.Started;
        p.All[0].Post(new RemoteFence(RemoteFenceKind.FenceI, 0, 0, 0));
        Assert.Equal(0, p.Call(0, Rfence, 2, 0b111, 0, 0x4000, 0x2000, 7).Error);
        var fence = new RemoteFence(RemoteFenceKind.SfenceVmaAsid, 0x4000, 0x2000, 7);
        Assert.Equal([fence, new RemoteFence(RemoteFenceKind.FenceI, 0, 0, 0)], p.All[0].Performed);
        Assert.Equal([fence], p.All[1].Performed);
        Assert.Equal([fence], p.All[2].Posted);
        Assert.Equal(-2, p.Call(0, Rfence, 3, 1, 0).Error);
    }

    [Fact]
    public void Harts_start_stop_and_report_as_HSM_says()
    {
        var p = new Platform(2);
        Assert.Equal((0, 1UL), p.Call(0, Hsm, 2, 1));
        Assert.Equal(-5, p.Call(0, Hsm, 0, 1, 0x10).Error);
        Assert.Equal(-3, p.Call(0, Hsm, 0, 2, Ram).Error);
        Assert.Equal(0, p.Call(0, Hsm, 0, 1, Ram + 64, 99).Error);
        Assert.Equal((Ram + 64, 99UL), p.All[1].StartedAt);
        Assert.Equal(-6, p.Call(0, Hsm, 0, 1, Ram).Error);
        Assert.Equal((0, 0UL), p.Call(0, Hsm, 2, 1));
        p.Call(1, Hsm, 1);
        Assert.Equal((0, 1UL), p.Call(0, Hsm, 2, 1));
        Assert.Equal(0, p.Call(0, Hsm, 3, 0).Error);
        Assert.Equal(HartState.Suspended, p.All[0].HsmState);
        Assert.Equal(-3, p.Call(0, Hsm, 3, 5).Error);
        Assert.Equal(-2, p.Call(0, Hsm, 3, 0x1000_0000).Error);
    }

    [Theory]
    [InlineData(0, 0, SystemResetType.Shutdown, false)]
    [InlineData(1, 0, SystemResetType.ColdReboot, false)]
    [InlineData(0, 1, SystemResetType.Shutdown, true)]
    public void System_reset_ends_the_machine(ulong type, ulong reason, SystemResetType expected, bool failure)
    {
        var p = new Platform(1);
        p.Call(0, Srst, 0, type, reason);
        Assert.Equal((expected, failure), p.Ended);
        Assert.Equal(HartState.Stopped, p.All[0].HsmState);
    }

    [Fact]
    public void System_reset_refuses_reserved_types_and_reasons()
    {
        var p = new Platform(1);
        Assert.Equal(-3, p.Call(0, Srst, 0, 3, 0).Error);
        Assert.Equal(-3, p.Call(0, Srst, 0, 0, 7).Error);
        Assert.Null(p.Ended);
    }

    [Fact]
    public void Debug_console_writes_and_reads_physical_memory_and_checks_it()
    {
        var p = new Platform(1);
        "hi\nyou"u8.CopyTo(p.Memory);
        Assert.Equal((0, 6UL), p.Call(0, Dbcn, 0, 6, Ram, 0));
        Assert.Equal("hi\r\nyou"u8.ToArray(), p.Output);
        Assert.Equal(-3, p.Call(0, Dbcn, 0, 5, Ram + 4093, 0).Error);
        Assert.Equal(-3, p.Call(0, Dbcn, 0, 5, 0, 0).Error);
        // A length beyond any memory must neither be allocated nor hang.
        Assert.Equal((0, 1024UL), p.Call(0, Dbcn, 0, ulong.MaxValue, Ram, 0));
        p.Input.Enqueue((byte)'x');
        Assert.Equal((0, 1UL), p.Call(0, Dbcn, 1, 10, Ram + 100, 0));
        Assert.Equal((byte)'x', p.Memory[100]);
        Assert.Equal((0, 0UL), p.Call(0, Dbcn, 1, 10, Ram + 100, 0));
        p.Call(0, Dbcn, 2, 'y');
        Assert.Equal((byte)'y', p.Output[^1]);
    }

    [Fact]
    public void Pmu_offers_cycles_and_instructions_and_nothing_else()
    {
        var p = new Platform(1);
        FakeHart hart = p.All[0];
        Assert.Equal((0, 3UL), p.Call(0, Pmu, 0));
        Assert.Equal((0, 0xC00UL | 63 << 12), p.Call(0, Pmu, 1, 0));
        Assert.Equal(-3, p.Call(0, Pmu, 1, 1).Error);
        Assert.Equal((0, 2UL), p.Call(0, Pmu, 2, 0, 0b111 & ~2UL, 2, 2));
        Assert.Equal(-2, p.Call(0, Pmu, 2, 0, 0b101, 0, 3).Error);
        Assert.Equal(-7, p.Call(0, Pmu, 3, 2, 1, 1, 1234).Error);
        Assert.Equal(0, p.Call(0, Pmu, 4, 2, 1, 0).Error);
        Assert.False(hart.Counting[2]);
        Assert.Equal(-8, p.Call(0, Pmu, 4, 2, 1, 0).Error);
        Assert.Equal(0, p.Call(0, Pmu, 3, 2, 1, 1, 1234).Error);
        Assert.Equal(1234UL, hart.Counters[2]);
        Assert.Equal(-3, p.Call(0, Pmu, 3, 63, ulong.MaxValue, 0).Error);
        Assert.Equal(-3, p.Call(0, Pmu, 4, ulong.MaxValue, 1, 0).Error);
    }

    [Fact]
    public void Legacy_calls_set_only_a0()
    {
        var p = new Platform(2);
        p.Input.Enqueue(65);
        Assert.Equal(65, p.Call(0, 2, 0, 0, 77).Error);
        Assert.Equal(77UL, p.All[0].A[1]);
        Assert.Equal(-1, p.Call(0, 2, 0).Error);
        p.Call(0, 0, 0, 500);
        Assert.Equal(500UL, p.All[0].Stimecmp);
        p.Call(0, 4, 0, 0x1000);
        Assert.Equal([false, true], p.All.Select(h => h.Ssip));
        Assert.Equal(-5, p.Call(0, 4, 0, 0x2000).Error);
        p.Call(0, 8, 0);
        Assert.Equal((SystemResetType.Shutdown, false), p.Ended);
    }
}
