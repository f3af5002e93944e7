using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;
using Myna.Machines.Tests.Support;

namespace Myna.Machines.Tests;

/// <summary>
/// What every device of every board promises, over the list that the machine itself gives: random accesses do no harm,
/// and a loaded state is the saved one.
/// </summary>
public sealed class StateContractTests : IDisposable
{
    private readonly Scratch _scratch = new();
    private readonly ManualClock _clock = new();

    public void Dispose() => _scratch.Dispose();

    private Machine Build(string board = "virt") => Machine.Create(new MachineOptions
    {
        Board = board,
        Kernel = _scratch.Write("kernel", new Elf(new Rv().Loop().ToArray()) { Symbols = { ["tohost"] = 0x8000_1000, ["fromhost"] = 0x8000_1008 } }.ToArray()),
        Firmware = MachineOptions.FirmwareNone, Memory = 16 << 20, Cpus = 2, Accel = Accel.Interp, Console = new Recorder(), Clock = _clock,
        WallClock = 1_700_000_000_000_000_000, Random = bytes => Array.Fill(bytes, (byte)0x5a),
        Devices =
        [
            new DiskDevice(new NullDisk()), new NetDevice(new NullNet()), new ConsoleDevice(new Recorder()), new ConsoleDevice(new Recorder(), "port"), new RngDevice(),
            new DiskDevice(new NullDisk(), Bus: DeviceBus.Mmio), new RngDevice(DeviceBus.Mmio),
        ],
    });

    private static byte[] Save(IStateful item)
    {
        (item as IDrainable)?.Drain();
        var writer = new StateWriter();
        writer.WriteSection(item);
        return writer.ToArray();
    }

    /// <summary>Random loads and stores to every device that is mapped, and some time passing.</summary>
    private void Disturb(Machine machine, Random random, int accesses)
    {
        for (int i = 0; i < accesses; i++)
        {
            Region[] devices = [.. machine.Memory.Regions.Where(r => r.Device is not null)];
            Region region = devices[random.Next(devices.Length)];
            int size = 1 << random.Next(4);
            // Mostly near the start, where the registers are.
            ulong span = random.Next(4) == 0 ? region.Size : Math.Min(region.Size, 0x200);
            ulong offset = (ulong)random.NextInt64((long)span) & ~((ulong)size - 1);
            ulong value = random.Next(3) switch { 0 => (ulong)random.NextInt64(), 1 => (ulong)random.Next(256), _ => 0x8000_0000 + (ulong)random.Next(1 << 24) };
            if (random.Next(2) == 0)
                machine.Memory.Load(region.Start + offset, size, out _);
            else
                machine.Memory.Store(region.Start + offset, size, value);
            if (random.Next(100) == 0)
                _clock.Advance((ulong)random.Next(1_000_000));
        }
    }

    [Fact]
    public void The_list_names_every_device_once()
    {
        using Machine machine = Build();
        Assert.Equal(machine.Devices.Count, machine.Devices.Select(d => d.Name).Distinct().Count());
        string[] kinds = [.. machine.Devices.Select(d => d.State.StateName).Distinct()];
        foreach (string kind in new[] { "clint", "plic", "uart16550", "goldfish-rtc", "sifive-test", "fw-cfg", "cfi-flash", "htif", "virtio-mmio" })
            Assert.Contains(kind, kinds);
        // What answers on the bus is saved, or belongs to a PCI function that is.
        IEnumerable<Region> unknown = machine.Memory.Regions.Where(r => r.Device is not null and not Myna.Devices.Pci.PciHost
            && !machine.Devices.Any(d => ReferenceEquals(d.State, r.Device)));
        Assert.Empty(unknown);
    }

    [Theory]
    [InlineData("virt", 1)]
    [InlineData("virt", 2)]
    [InlineData("virt,aia=aplic-imsic", 3)]
    [InlineData("virt,aia=aplic-imsic", 4)]
    public void Saved_disturbed_and_loaded_a_device_saves_the_same_again(string board, int seed)
    {
        using Machine machine = Build(board);
        var random = new Random(seed);
        Disturb(machine, random, 20_000);
        byte[][] saved = [.. machine.Devices.Select(d => Save(d.State))];
        Disturb(machine, random, 20_000);
        for (int i = 0; i < saved.Length; i++)
        {
            new StateReader(saved[i]).ReadSection(machine.Devices[i].State);
            Assert.True(saved[i].AsSpan().SequenceEqual(Save(machine.Devices[i].State)), machine.Devices[i].Name);
        }
    }

    [Theory]
    [InlineData("virt")]
    [InlineData("virt,aia=aplic-imsic")]
    public void The_state_of_one_machine_loads_into_an_equal_one(string board)
    {
        using Machine first = Build(board);
        Disturb(first, new Random(5), 5_000);
        byte[] state = first.SaveState();
        using Machine second = Build(board);
        Assert.NotEqual(state, second.SaveState());
        second.LoadState(state);
        Assert.Equal(state, second.SaveState());
    }

    [Theory]
    [InlineData("virt")]
    [InlineData("virt,aia=aplic-imsic")]
    public void A_reset_brings_back_the_state_of_a_new_machine(string board)
    {
        using Machine machine = Build(board);
        using Machine fresh = Build(board);
        Disturb(machine, new Random(6), 20_000);
        foreach (BoardDevice device in machine.Devices)
            device.Reset();
        foreach ((BoardDevice device, BoardDevice other) in machine.Devices.Zip(fresh.Devices))
        {
            // The clock of the guest's day keeps what it was set to.
            if (device.State.StateName != "goldfish-rtc")
                Assert.True(Save(other.State).AsSpan().SequenceEqual(Save(device.State)), device.Name);
        }
    }

    [Fact]
    public void A_damaged_or_foreign_state_is_refused()
    {
        using Machine machine = Build();
        byte[] state = machine.SaveState();
        Assert.Throws<StateException>(() => machine.LoadState(state.AsMemory(0, state.Length - 1)));
        Assert.Throws<StateException>(() => machine.LoadState(state.Concat(state).ToArray()));
        Assert.Throws<StateException>(() => machine.LoadState(state.AsMemory(3)));
    }
}
