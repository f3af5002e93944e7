using System.Text;
using Myna.Devices.Interrupts;
using Myna.Devices.Ports;
using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests;

/// <summary>
/// What every device of a PC promises by itself: random accesses do no harm, a loaded state is the saved one, a reset is
/// the power-on state.
/// </summary>
public sealed class DeviceContractTests
{
    /// <summary>A device, its register ranges and its reset.</summary>
    private sealed record Subject(IStateful State, Action Reset, ManualClock Clock, params IMmio[] Blocks);

    private static readonly Dictionary<string, Func<Subject>> Subjects = new()
    {
        ["i8259"] = () =>
        {
            var pic = new I8259Pair(default);
            return new(pic, pic.Reset, new(), pic.Master, pic.Slave, pic.Elcr, new Lines(pic, 16));
        },
        ["ioapic"] = () =>
        {
            var apic = new IoApic(new ApicBus());
            return new(apic, apic.Reset, new(), apic, new Lines(apic, 24));
        },
        ["lapic"] = () =>
        {
            var clock = new ManualClock();
            var bus = new ApicBus();
            var apic = new LocalApic(bus, clock, new FakeCore(0), 0, new LocalApicOptions(PhysicalAddressBits: 40));
            return new(apic, apic.Reset, clock, new ApicPage(apic), new ApicMsrs(apic), new Lines(bus, 2));
        },
        ["i8254"] = () =>
        {
            var clock = new ManualClock();
            var pit = new I8254(clock, default);
            return new(pit, pit.Reset, clock, pit.Ports);
        },
        ["port61"] = () =>
        {
            var clock = new ManualClock();
            var port = new SystemControlPortB(new I8254(clock, default), clock);
            return new(port, port.Reset, clock, port.Ports);
        },
        ["hpet"] = () =>
        {
            var clock = new ManualClock();
            var levels = new Levels();
            var hpet = new Hpet(clock, levels.Line(0), levels.Line(8), Enumerable.Range(0, 24).Select(levels.Line), new Messages());
            return new(hpet, hpet.Reset, clock, hpet, new Lines(hpet, 2));
        },
        ["rtc"] = () =>
        {
            var clock = new ManualClock();
            var rtc = new Mc146818(clock, new DateTime(2026, 2, 28, 23, 59, 59), default);
            return new(rtc, rtc.Reset, clock, rtc.Ports);
        },
    };

    public static TheoryData<string> Names => [.. Subjects.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Saved_disturbed_and_loaded_a_device_saves_the_same_again(string name)
    {
        for (int seed = 0; seed < 10; seed++)
        {
            var random = new Random(seed);
            Subject subject = Subjects[name]();
            Disturb(subject, random, 3000);
            byte[] saved = Save(subject.State);
            Disturb(subject, random, 3000);
            new StateReader(saved).ReadSection(subject.State);
            Assert.True(saved.AsSpan().SequenceEqual(Save(subject.State)), $"{name}, seed {seed}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_reset_brings_back_the_state_of_a_new_device(string name)
    {
        for (int seed = 0; seed < 10; seed++)
        {
            Subject subject = Subjects[name](), fresh = Subjects[name]();
            Disturb(subject, new Random(seed), 3000);
            foreach (IMmio block in subject.Blocks)
                (block as Lines)?.Lower();
            subject.Reset();
            if (name == "rtc")
                continue; // battery-backed
            Assert.True(Save(fresh.State).AsSpan().SequenceEqual(Save(subject.State)), $"{name}, seed {seed}\n{Describe(fresh.State)}{Describe(subject.State)}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_damaged_state_does_no_harm(string name)
    {
        var random = new Random(11);
        for (int round = 0; round < 50; round++)
        {
            Subject subject = Subjects[name]();
            Disturb(subject, random, 500);
            byte[] damaged = Save(subject.State);
            for (int i = 0; i < 10; i++)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                new StateReader(damaged).ReadSection(subject.State);
            }
            catch (StateException)
            {
                continue;
            }
            Disturb(subject, random, 500);
        }
    }

    private static string Describe(IStateful state)
        => StateWriter.Describe(state).Aggregate(new StringBuilder(), (s, f) => s.Append(f.Name).Append('=').Append(Convert.ToHexString(f.Value)).Append(' ')).Append('\n').ToString();

    private static byte[] Save(IStateful item)
    {
        var writer = new StateWriter();
        writer.WriteSection(item);
        return writer.ToArray();
    }

    private static void Disturb(Subject subject, Random random, int accesses)
    {
        for (int i = 0; i < accesses; i++)
        {
            IMmio block = subject.Blocks[random.Next(subject.Blocks.Length)];
            ulong span = block is IRegisterBlock { Size: var bytes } ? bytes : random.Next(3) == 0 ? 0x1000ul : 0x100;
            int size = 1 << random.Next(4);
            while (size > (int)span)
                size >>= 1;
            ulong offset = (ulong)random.NextInt64((long)span) & ~((ulong)size - 1);
            ulong value = random.Next(3) switch { 0 => (ulong)random.NextInt64(), 1 => (ulong)random.Next(256), _ => 1ul << random.Next(64) };
            if (random.Next(2) == 0)
                block.Read(offset, size, out _);
            else
                block.Write(offset, size, value);
            if (random.Next(50) == 0)
                subject.Clock.Advance((ulong)random.NextInt64(1L << random.Next(32)));
        }
    }

    /// <summary>A device's interrupt inputs, as registers for the random accesses.</summary>
    private sealed class Lines(Hardware.Interrupts.IInterruptSink sink, int count) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            sink.SetLevel((int)(offset % (ulong)count), (value & 1) != 0);
            return true;
        }

        public void Lower()
        {
            for (int i = 0; i < count; i++)
                sink.SetLevel(i, false);
        }
    }

    private sealed class ApicPage(LocalApic apic) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = apic.Read((int)offset & ~15, size);
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            apic.Write((int)offset & ~15, 4, value);
            if ((offset & 0xf) == 15)
                _ = apic.Acknowledge();
            return true;
        }
    }

    private sealed class ApicMsrs(LocalApic apic) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            _ = apic.TryReadMsr(0x800 + (uint)offset % 0x40, out value);
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            _ = (offset & 3) switch
            {
                0 => apic.TrySetApicBase((value & 0xc00) | 0xfee0_0000),
                1 => apic.TryWriteMsr(0x6e0, value),
                _ => apic.TryWriteMsr(0x800 + (uint)offset % 0x40, value & 0xffff_ffff),
            };
            return true;
        }
    }
}
