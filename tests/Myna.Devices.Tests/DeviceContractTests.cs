using System.Text;
using Myna.Devices.Ata;
using Myna.Devices.Display;
using Myna.Devices.Dma;
using Myna.Devices.FirmwareConfig;
using Myna.Devices.Floppy;
using Myna.Devices.Input;
using Myna.Devices.Interrupts;
using Myna.Devices.Network;
using Myna.Devices.Nvme;
using Myna.Devices.Pci;
using Myna.Devices.Ports;
using Myna.Devices.Security;
using Myna.Devices.Power;
using Myna.Devices.Scsi;
using Myna.Devices.Sd;
using Myna.Devices.Smbus;
using Myna.Devices.Sound;
using Myna.Devices.Tests.Network;
using Myna.Devices.Tests.Support;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Timers;
using Myna.Devices.Usb;
using Myna.Devices.Virtio.Gpu;
using Myna.Devices.Virtio.Scsi;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
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

    // Zeroes that devices may read and write.
    private static readonly Ram s_ram = new("ram", 1 << 20);

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
        ["coprocessor-error"] = () =>
        {
            var error = new CoprocessorError(default);
            return new(error, error.Reset, new(), error.Ports);
        },
        ["hpet"] = () =>
        {
            var clock = new ManualClock();
            var levels = new Levels();
            var hpet = new Hpet(clock, levels.Line(0), levels.Line(8), Enumerable.Range(0, 24).Select(levels.Line), new Messages());
            return new(hpet, hpet.Reset, clock, hpet, new Lines(hpet, 2));
        },
        ["i8042"] = () =>
        {
            var controller = new I8042(default, default, new Support.Power());
            return new(controller, controller.Reset, new(), controller.Data, controller.Command, new Typist(controller));
        },
        ["acpi-pm"] = () =>
        {
            var clock = new ManualClock();
            var pm = new AcpiPm(clock, default, new Support.Power());
            return new(pm, pm.Reset, clock, pm, pm.Apm);
        },
        ["acpi-sleep"] = () => Simple(new AcpiSleep(new Support.Power()), static d => d.Reset()),
        ["reset-control"] = () =>
        {
            var reset = new ResetControl(new Support.Power());
            return new(reset, reset.Reset, new(), reset.Register, reset.Port92);
        },
        ["debug-console"] = () => Simple(new DebugConsole(Hardware.Diagnostics.LogChannel.None), static d => d.Reset()),
        ["debug-exit"] = () => Simple(new DebugExit(new Support.Power()), static d => d.Reset()),
        ["post-port"] = () => Simple(new PostPort(Hardware.Diagnostics.LogChannel.None), static d => d.Reset()),
        ["pc-testdev"] = () =>
        {
            var test = new PcTestDevice(Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 24));
            return new(test, test.Reset, new(), test, test.Interrupts, test.Memory);
        },
        ["mch"] = () =>
        {
            var memory = new AddressSpace();
            var mch = new Q35Mch(memory, 0xb000_0000, null);
            return new(mch, mch.Reset, new(), new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4), bridge: mch));
        },
        ["lpc"] = () =>
        {
            var (memory, ports) = (new AddressSpace(), new AddressSpace());
            var none = default(Hardware.Interrupts.InterruptLine);
            var lpc = new Ich9Lpc(ports, memory, new AcpiPm(new ManualClock(), none, new Support.Power()), Enumerable.Repeat(none, 8), Enumerable.Repeat(none, 16));
            var host = new PciHost(memory, [], Enumerable.Repeat(none, 4));
            host.Add(lpc, 0, 1);
            var config = new PciConfigPorts(host, null);
            ports.Map(0xcf8, 8, "pci", config);
            config.Write(0, 4, 0x8000_0100);
            return new(lpc, lpc.Reset, new(), lpc.Rcrb, new PciPage(lpc), new Lines(lpc, 8));
        },
        ["e1000"] = () => Card((memory, _) => new I82540Em(memory, new Wire(), CardRig.Mac)),
        ["e1000e"] = () => Card((memory, _) => new I82574L(memory, new Wire(), CardRig.Mac)),
        ["rtl8139"] = () => Card((memory, clock) => new Rtl8139(memory, clock, new Wire(), CardRig.Mac)),
        ["ahci"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var hba = new Ahci(memory, [new AtaDisk(new TestDisk(1 << 16)), new AtapiCdrom(new TestDisk(1 << 16, readOnly: true))]);
            new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(hba);
            return new(hba, hba.Reset, new(), new PciBarOf(hba, 5), new PciPage(hba));
        },
        ["ide"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var none = default(Hardware.Interrupts.InterruptLine);
            var first = new IdeChannel(memory, none, new AtaDisk(new TestDisk(1 << 16)), new AtapiCdrom(new TestDisk(1 << 16, readOnly: true)));
            var ide = new Piix3Ide(first, new IdeChannel(memory, none, null, null));
            new PciHost(memory, [], Enumerable.Repeat(none, 4)).Add(ide);
            return new(ide, ide.Reset, new(), new PciBarOf(ide, 4), new PciPage(ide), first.CommandBlock, first.CommandBlock, first.CommandBlock, first.ControlBlock);
        },
        ["nvme"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var nvme = new NvmeController(memory, [new TestDisk(1 << 16)]);
            new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(nvme);
            return new(nvme, nvme.Reset, new(), new PciBarOf(nvme, 0), new PciPage(nvme));
        },
        ["xhci"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var clock = new ManualClock();
            var xhci = new Xhci(memory, clock);
            var hub = new UsbHub();
            foreach (UsbDevice device in new UsbDevice[] { new UsbKeyboard(clock), new UsbTablet(clock), UsbStorage.Disk(new TestDisk(1 << 16)), UsbStorage.Cdrom(new TestDisk(1 << 16, readOnly: true)), hub })
                xhci.Add(device);
            hub.Add(new UsbKeyboard(clock));
            new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(xhci);
            xhci.WriteConfig(4, 2, 6);
            return new(xhci, () => { xhci.Reset(); xhci.WriteConfig(4, 2, 6); }, clock, new PciBarOf(xhci, 0), new PciPage(xhci), new Window(new PciBarOf(xhci, 0), 0x400), new Window(new PciBarOf(xhci, 0), 0x1000), new Window(new PciBarOf(xhci, 0), 0x2000));
        },
        ["i8237"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var dma = new I8237(memory);
            return new(dma, dma.Reset, new(), dma.Low, dma.High, dma.Pages);
        },
        ["floppy"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var dma = new I8237(memory);
            var fdc = new FloppyController(dma, default, new FloppyDrive(new TestDisk(1440 << 10)), new FloppyDrive(null));
            return new(fdc, fdc.Reset, new(), fdc.Registers, fdc.DigitalInput, dma.Low);
        },
        ["virtio-scsi"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var scsi = new VirtioPci(new VirtioScsi(memory, [new ScsiDisk(new TestDisk(1 << 16)), new ScsiCdrom(new TestDisk(1 << 16, readOnly: true))]));
            new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(scsi);
            return new(scsi, scsi.Reset, new(), new PciBarOf(scsi, 0), new PciPage(scsi));
        },
        ["hda"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var clock = new ManualClock();
            var hda = new HdaController(memory, clock);
            new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(hda);
            Enable();
            return new(hda, () => { hda.Reset(); Enable(); }, clock, new PciBarOf(hda, 0), new PciPage(hda), new Window(new PciBarOf(hda, 0), 0x80));

            void Enable() => hda.WriteConfig(4, 2, 6);
        },
        ["sdhci"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var sdhci = new Sdhci(memory, new TestDisk(1 << 19));
            new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(sdhci);
            Enable();
            return new(sdhci, () => { sdhci.Reset(); Enable(); }, new(), new Window(new PciBarOf(sdhci, 0), 0), new PciPage(sdhci), new SdDriver(sdhci));

            void Enable() => sdhci.WriteConfig(4, 2, 6);
        },
        ["smbus"] = () =>
        {
            var bus = new Ich9Smbus();
            bus.Add(0x50, new Rom());
            new PciHost(new AddressSpace(), [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(bus);
            return new(bus, bus.Reset, new(), new Window(new PciBarOf(bus, 4), 0), new PciPage(bus));
        },
        ["vmgenid"] = () =>
        {
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var generation = new VmGenId(memory, new AcpiPm(new ManualClock(), default, new Support.Power()), Guid.NewGuid);
            return new(generation, generation.Reset, new(), new Bytes(generation.Address));
        },
        ["tpm-tis"] = () => Simple(new TpmTis(new DeafTpm()), static d => d.Reset()),
        ["pvpanic"] = () => Simple(new Pvpanic(new Support.Power(), Hardware.Power.GuestAction.Reset), static d => d.Reset()),
        ["pvpanic-pci"] = () => Function(static (_, _) => new PvpanicPci(new Support.Power(), Hardware.Power.GuestAction.Reset)),
        ["i6300esb"] = () => Function(static (clock, _) => new I6300Esb(clock, new Support.Power())),
        ["i440fx"] = () =>
        {
            var bridge = new I440Fx(null);
            return new(bridge, bridge.Reset, new(), new PciPage(bridge));
        },
        ["piix3-isa"] = () =>
        {
            var isa = new Piix3Isa(Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 16));
            return new(isa, isa.Reset, new(), new PciPage(isa), new Lines(isa, 4));
        },
        ["piix4-pm"] = () =>
        {
            var pm = new Piix4Pm(new AddressSpace(), new AcpiPm(new ManualClock(), default, new Support.Power()), null);
            return new(pm, pm.Reset, new(), new PciPage(pm));
        },
        ["config-ports"] = () => Simple(new PciConfigPorts(new PciHost(new AddressSpace(), [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)), null), static d => d.Reset()),
        ["vga"] = () =>
        {
            var clock = new ManualClock();
            var vga = new Vga(clock, new Ram("vga", 1 << 20));
            return new(vga, vga.Reset, clock, vga.Window, vga.DispiPorts, vga.Registers, vga.CrtcColour, vga.CrtcMono, vga.StatusColour, vga.StatusMono, new Spectator(vga.Draw));
        },
        ["bochs-vga"] = () =>
        {
            var clock = new ManualClock();
            var vga = new BochsVga(clock, 1 << 20);
            return new(vga, vga.Reset, clock, new PciPage(vga), new BarPage(vga, 2), new Spectator(vga.Draw));
        },
        ["virtio-vga"] = () =>
        {
            var clock = new ManualClock();
            var memory = new AddressSpace();
            memory.Map(0, s_ram);
            var vga = new VirtioVga(new VirtioGpu(memory), clock, 1 << 20);
            return new(vga, vga.Reset, clock, new PciPage(vga), new BarPage(vga, 2), new Spectator(vga.Draw));
        },
        ["rtc"] = () =>
        {
            var clock = new ManualClock();
            var rtc = new Mc146818(clock, new DateTime(2026, 2, 28, 23, 59, 59), default);
            return new(rtc, rtc.Reset, clock, rtc.Ports);
        },
    };

    private static Subject Card(Func<AddressSpace, ManualClock, PciDevice> create)
    {
        var memory = new AddressSpace();
        memory.Map(0, s_ram);
        var clock = new ManualClock();
        PciDevice card = create(memory, clock);
        new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(card);
        Enable();
        return new((IStateful)card, () => { card.Reset(); Enable(); }, clock, new PciBarOf(card, 0), new PciBarOf(card, 1), new PciPage(card));

        // Memory, ports and bus mastering.
        void Enable() => card.WriteConfig(4, 2, 7);
    }

    private static Subject Function(Func<ManualClock, AddressSpace, PciDevice> create)
    {
        var clock = new ManualClock();
        var memory = new AddressSpace();
        PciDevice function = create(clock, memory);
        new PciHost(memory, [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(function);
        return new((IStateful)function, function.Reset, clock, new PciBarOf(function, 0), new PciPage(function));
    }

    private static Subject Simple<T>(T device, Action<T> reset) where T : IStateful, IMmio => new(device, () => reset(device), new(), device);

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
            if (name is "rtc" or "i6300esb")
                continue; // battery-backed; it tells of the reset
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

    private sealed class Typist(I8042 controller) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            controller.MoveMouse((int)offset - 50, size * 10, size - 2, (byte)offset);
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            controller.Key((int)(value & 0x7f) | ((offset & 1) != 0 ? 0xe000 : 0), (offset & 2) != 0);
            return true;
        }
    }

    /// <summary>A device without state.</summary>
    private sealed class Rom : ISmbusDevice
    {
        public void Start(bool read) { }

        public bool Write(byte value) => value != 0xff;

        public byte Read() => 3;
    }

    /// <summary>Brings an SD card to where it moves blocks.</summary>
    private sealed class SdDriver(Sdhci sdhci) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value) => sdhci.ReadBar(0, offset & 0xfc, size, out value);

        public bool Write(ulong offset, int size, ulong value)
        {
            sdhci.WriteBar(0, 0x28, 2, 0xf00 | (value & 0x18));
            foreach ((uint command, uint argument) in new (uint, uint)[] { (0x0000, 0), (0x081a, 0x1aa), (0x371a, 0), (0x2902, 0x40ff8000), (0x0209, 0), (0x031a, 0), (0x071b, 0x45670000) })
            {
                sdhci.WriteBar(0, 8, 4, argument);
                sdhci.WriteBar(0, 0xe, 2, command);
            }
            sdhci.WriteBar(0, 4, 4, 0x0004_0200 | (value & 0x7000));
            sdhci.WriteBar(0, 8, 4, offset & 0x3f);
            sdhci.WriteBar(0, 0xc, 4, ((offset & 1) != 0 ? 0x123a_0032u : 0x193a_0022u) | (uint)(value & 5));
            return true;
        }
    }

    /// <summary>What the guest writes to a file of fw_cfg.</summary>
    private sealed class Bytes(byte[] file) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = file[offset % (ulong)file.Length];
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            file[offset % (ulong)file.Length] = (byte)value;
            return true;
        }
    }

    /// <summary>Registers from an offset on.</summary>
    private sealed class Window(IMmio registers, ulong start) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value) => registers.Read(start + offset, size, out value);
        public bool Write(ulong offset, int size, ulong value) => registers.Write(start + offset, size, value);
    }

    /// <summary>A TPM that does not answer.</summary>
    private sealed class DeafTpm : Hardware.Backends.ITpmBackend
    {
        public ValueTask<int> ExecuteAsync(ReadOnlyMemory<byte> command, Memory<byte> response, int locality) => new(0);

        public void Cancel() { }

        public void PowerOn() { }
    }

    private sealed class PciBarOf(PciDevice device, int bar) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value) => device.ReadBar(bar, offset, size, out value);
        public bool Write(ulong offset, int size, ulong value) => device.WriteBar(bar, offset, size, value);
    }

    /// <summary>Somebody looks at the screen.</summary>
    private sealed class Spectator(Action<Surface> draw) : IMmio
    {
        private readonly Surface _surface = new();

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            if (offset % 16 == 0)
                draw(_surface);
            return true;
        }

        public bool Write(ulong offset, int size, ulong value) => true;
    }

    private sealed class BarPage(PciDevice device, int bar) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value) => device.ReadBar(bar, offset, size, out value);
        public bool Write(ulong offset, int size, ulong value) => device.WriteBar(bar, offset, size, value);
    }

    private sealed class PciPage(PciDevice device) : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = device.ReadConfig((int)offset & ~3, Math.Min(size, 4));
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            device.WriteConfig((int)offset & ~3, Math.Min(size, 4), (uint)value);
            return true;
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
