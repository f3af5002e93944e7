using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Ports;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Machines.Tests.Support;

namespace Myna.Machines.Tests.X86;

/// <summary>Whole PCs with multiboot programs of a few instructions, and the errors of their options.</summary>
public sealed class PcMachineTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly Scratch _scratch = new();
    private readonly Recorder _console = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>A multiboot kernel at 2 MiB, entered in 32-bit protected mode.</summary>
    private MachineOptions Program(string board, params byte[] code)
    {
        const uint Load = 0x200000, Flags = 1 << 16;
        byte[] image = new byte[0x40 + code.Length];
        uint[] header = [0x1badb002, Flags, unchecked(0u - 0x1badb002 - Flags), Load, Load, 0, 0, Load + 0x40];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(i * 4), header[i]);
        code.CopyTo(image, 0x40);
        return new MachineOptions { Arch = "x86_64", Board = board, Kernel = _scratch.Write("kernel", image), Memory = 16 << 20, Accel = GuestEngine.Accel, Irqchip = GuestEngine.Irqchip, Console = _console };
    }

    private static MachineExit Run(MachineOptions options)
    {
        using Machine machine = Machine.Create(options);
        machine.Start();
        using var patience = new CancellationTokenSource(s_patience);
        return machine.WaitForExit(patience.Token);
    }

    private static byte[] Out(ushort port, byte value) => [0x66, 0xba, (byte)port, (byte)(port >> 8), 0xb0, value, 0xee];
    private static byte[] Out16(ushort port, ushort value) => [0x66, 0xba, (byte)port, (byte)(port >> 8), 0x66, 0xb8, (byte)value, (byte)(value >> 8), 0x66, 0xef];

    private static readonly byte[] s_halt = [0xf4, 0xeb, 0xfd];

    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    [InlineData("microvm")]
    public void A_test_program_prints_and_ends_with_its_status(string board)
    {
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 5 * 2 + 1), Run(Program(board, [.. Out(0x3f8, (byte)'h'), .. Out(0x3f8, (byte)'i'), .. Out(0xf4, 5), .. s_halt])));
        Assert.Equal("hi", _console.Text);
    }

    /// <summary>A bzImage whose real-mode code is the given one.</summary>
    private MachineOptions RealMode(string board, params byte[] code)
    {
        byte[] image = DirectBootTests.BzImage();
        image[0x200] = 0xeb; // jmp 26Ch
        code.CopyTo(image, 0x26c);
        return new MachineOptions
        {
            Arch = "x86_64", Board = board, Kernel = _scratch.Write("kernel", image), Memory = 64 << 20, Accel = GuestEngine.Accel, Irqchip = GuestEngine.Irqchip, Console = _console, KernelEntry = 16, DebugExitPort = 0xf4,
        };
    }

    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    [InlineData("microvm")]
    public void Real_mode_code_reads_the_memory_map_and_finds_no_other_service(string board)
    {
        byte[] code =
        [
            0x31, 0xdb, 0x31, 0xf6,                         // xor bx, bx; xor si, si
            0x66, 0xbb, 0, 0, 0, 0,                         // mov ebx, 0
            0xbf, 0, 0x80,                                  // next: mov di, 8000h
            0x66, 0xb8, 0x20, 0xe8, 0, 0,                   // mov eax, E820h
            0x66, 0xba, 0x50, 0x41, 0x4d, 0x53,             // mov edx, SMAP
            0x66, 0xb9, 20, 0, 0, 0,                        // mov ecx, 20
            0xf9, 0xcd, 0x15, 0x72, 0x38,                   // stc; int 15h; jc bad
            0x66, 0x3d, 0x50, 0x41, 0x4d, 0x53, 0x75, 0x30, // cmp eax, SMAP; jne bad
            0x83, 0x7d, 16, 1, 0x75, 0x06,                  // cmp word [di + 16], 1; jne skip
            0x66, 0x03, 0x75, 8, 0x90, 0x90,                // add esi, [di + 8]
            0x66, 0x85, 0xdb, 0x75, 0xca,                   // skip: test ebx, ebx; jne next
            0xf8, 0xb4, 0x88, 0xcd, 0x15, 0x73, 0x18,       // clc; mov ah, 88h; int 15h; jnc bad
            0xf8, 0xb4, 0x08, 0xcd, 0x13, 0x73, 0x11,       // clc; mov ah, 8; int 13h; jnc bad
            0x66, 0xc1, 0xee, 10,                           // shr esi, 10
            0x66, 0x81, 0xfe, 0x7f, 0xfe, 0, 0,             // cmp esi, 64 MiB - 385 KiB in KiB (all but A0000h-FFFFFh and the EBDA's KiB)
            0x75, 0x04, 0xb0, 7, 0xe6, 0xf4,                // jne bad; mov al, 7; out F4h, al
            0xb0, 1, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd,          // bad: mov al, 1; out F4h, al; hlt
        ];
        Assert.Equal(7 * 2 + 1, Run(RealMode(board, code)).Status);
    }

    [Theory]
    [InlineData("q35", 0x3f8)]
    [InlineData("pc", 0x3f8)]
    [InlineData("microvm", 0x3f8)]
    public void A_second_serial_port_is_there_when_it_is_wanted(string board, ushort first)
    {
        var second = new Recorder();
        MachineOptions options = Program(board, [.. Out(first, (byte)'1'), .. Out(0x2f8, (byte)'2'), .. Out(0xf4, 0), .. s_halt]);
        Assert.Equal(1, Run(options).Status);
        Assert.Equal(1, Run(options with { SecondConsole = second }).Status);
        Assert.Equal(("11", "2"), (_console.Text, second.Text));
    }

    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    [InlineData("microvm")]
    public void The_power_button_reaches_the_guest(string board)
    {
        // q35: PM1_STS at 600h, in ACPI mode from the start; microvm: the event register at 603h. The loop waits for bit 8, or bit 0.
        byte[] wait = board != "microvm" ? [0x66, 0xba, 0x01, 0x06, 0xec, 0xa8, 1, 0x74, 0xfb] : [0x66, 0xba, 0x03, 0x06, 0xec, 0xa8, 1, 0x74, 0xfb];
        using Machine machine = Machine.Create(Program(board, [.. wait, .. Out(0xf4, 9), .. s_halt]));
        machine.Start();
        Assert.True(machine.PressPowerButton());
        using var patience = new CancellationTokenSource(s_patience);
        Assert.Equal(19, machine.WaitForExit(patience.Token).Status);
    }

    [Fact]
    public void Kernels_that_firmware_cannot_start()
    {
        string bios = _scratch.Write("bios", new byte[64 << 10]);
        MachineOptions options = RealMode("q35") with { Firmware = bios };
        string Refused(MachineOptions o) => Assert.Throws<MachineException>(() => Machine.Create(o).Dispose()).Message;
        Machine.Create(options).Dispose();
        Assert.Contains("16-bit", Refused(options with { KernelEntry = 64 }), StringComparison.Ordinal);
        Assert.Contains("--memory", Refused(options with { Initrd = _scratch.Write("initrd", new byte[60 << 20]) }), StringComparison.Ordinal);
        Assert.Contains("--append", Refused(options with { Append = new string('x', 65) }), StringComparison.Ordinal);
        Assert.Contains("no bzImage", Refused(Program("q35", s_halt) with { Firmware = bios }), StringComparison.Ordinal);
        Assert.Contains("--kernel-entry", Refused(new MachineOptions { Arch = "x86_64", Firmware = bios, KernelEntry = 16 }), StringComparison.Ordinal);
    }

    [Fact]
    public void The_port_of_the_debug_exit_can_be_chosen()
        => Assert.Equal(3, Run(Program("q35", [.. Out(0x501, 1), .. s_halt]) with { DebugExitPort = 0x501 }).Status);

    [Fact]
    public void An_x87_exception_without_NE_is_IRQ_13()
    {
        // ESP; CR0 without EM, TS and NE; FNINIT; FLDCW 37Bh; 1 / 0; FWAIT; the slave's IRR, bit 5.
        byte[] program =
        [
            0xbc, 0x00, 0x00, 0x08, 0x00, 0x0f, 0x20, 0xc0, 0x83, 0xe0, 0xd3, 0x0f, 0x22, 0xc0, 0xdb, 0xe3, 0x68, 0x7b, 0x03, 0x00, 0x00, 0xd9, 0x2c, 0x24,
            0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b, 0xb0, 0x0a, 0xe6, 0xa0, 0xe4, 0xa0, 0xc0, 0xe8, 0x05, 0x24, 0x01, 0x66, 0xba, 0xf4, 0x00, 0xee, .. s_halt,
        ];
        Assert.Equal(3, Run(Program("q35", program)).Status);
        // Masked, there is none.
        program[17] = 0x7f;
        Assert.Equal(1, Run(Program("q35", program)).Status);
    }

    [Fact]
    public void The_machines_switch_off_by_their_acpi_registers()
    {
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 0), Run(Program("q35", [.. Out16(0x604, 1 << 13), .. s_halt])));
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 0), Run(Program("pc", [.. Out16(0x604, 1 << 13), .. s_halt])));
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 0), Run(Program("microvm", [.. Out(0x600, 1 << 5 | 5 << 2), .. s_halt])));
    }

    [Fact]
    public void The_machines_reset_by_their_reset_registers()
    {
        Assert.Equal(ExitReason.Reset, Run(Program("q35", [.. Out(0xcf9, 6), .. s_halt]) with { NoReboot = true }).Reason);
        Assert.Equal(ExitReason.Reset, Run(Program("microvm", [.. Out(0x602, 0x42), .. s_halt]) with { NoReboot = true }).Reason);
    }

    [Theory]
    [InlineData(0xcf9, 0x0e)]
    [InlineData(0xcf9, 0x06)]
    public void A_pc_resets_by_its_reset_control_register(ushort port, byte value)
        => Assert.Equal(ExitReason.Reset, Run(Program("pc", [.. Out(port, value), .. s_halt]) with { NoReboot = true }).Reason);

    [Fact]
    public void Drives_that_a_board_cannot_have()
    {
        MachineOptions good = Program("q35", s_halt);
        DiskDevice Disk(DiskInterface on) => new(new NullDisk(), Interface: on);
        Refused(good with { Devices = [Disk(DiskInterface.Ide)] }, "IDE", "--machine pc");
        Refused(good with { Board = "pc", Devices = [Disk(DiskInterface.Ahci)] }, "SATA", "--machine q35");
        Refused(good with { Board = "microvm", Devices = [new CdromDevice(null)] }, "--cdrom");
        Refused(good with { Devices = [.. Enumerable.Range(0, 7).Select(_ => Disk(DiskInterface.Ahci))] }, "6 SATA ports");
        Refused(good with { Board = "pc", Devices = [.. Enumerable.Range(0, 5).Select(_ => Disk(DiskInterface.Ide))] }, "4 IDE");
    }

    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    [InlineData("microvm")]
    public void A_triple_fault_resets(string board)
        // lidt [eax * 0 + disp32 of zeroes]; int3: no descriptor, no double fault's either.
        => Assert.Equal(ExitReason.Reset, Run(Program(board, [0x0f, 0x01, 0x1d, 0x00, 0x00, 0x30, 0x00, 0xcc, .. s_halt]) with { NoReboot = true }).Reason);

    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    [InlineData("microvm")]
    public void Every_device_has_a_name_and_is_saved(string board)
    {
        DeviceOptions[] drives = board switch
        {
            "q35" => [new DiskDevice(new NullDisk(), Interface: DiskInterface.Ahci), new CdromDevice(null), new DiskDevice(new NullDisk(), Interface: DiskInterface.Nvme)],
            "pc" => [new DiskDevice(new NullDisk(), Interface: DiskInterface.Ide), new CdromDevice(null), new DiskDevice(new NullDisk(), Interface: DiskInterface.Nvme)],
            _ => [],
        };
        DeviceOptions[] devices = [new DiskDevice(new NullDisk()), new NetDevice(new NullNet()), new ConsoleDevice(new Recorder()), new RngDevice(), .. drives];
        using Machine machine = Machine.Create(Program(board, s_halt) with { Cpus = 2, Devices = devices });
        Assert.Equal(machine.Devices.Count, machine.Devices.Select(d => d.Name).Distinct().Count());
        IEnumerable<Region> unknown = machine.Memory.Regions.Concat(machine.Ports!.Regions).Where(r => r.Device is not null and not Myna.Devices.Pci.PciHost
            && !machine.Devices.Any(d => ReferenceEquals(d.State, r.Device is IRegisterBlock block ? block.Owner : r.Device)));
        Assert.Empty(unknown);
        byte[] state = machine.SaveState();
        using Machine second = Machine.Create(Program(board, s_halt) with { Cpus = 2, Devices = devices });
        second.LoadState(state);
        Assert.Equal(state, second.SaveState());
    }

    [Theory]
    [InlineData("q35")]
    [InlineData("pc")]
    public void A_loaded_state_is_another_generation(string board)
    {
        using Machine machine = Machine.Create(Program(board, s_halt) with { Devices = [new GenerationDevice()], Random = Random.Shared.NextBytes });
        Guid first = Generation(machine);
        Assert.NotEqual(Guid.Empty, first);
        machine.Reset();
        Assert.Equal(first, Generation(machine));
        machine.LoadState(machine.SaveState());
        Assert.NotEqual(first, Generation(machine));
        Assert.NotEqual(Guid.Empty, Generation(machine));
        using Machine same = Machine.Create(Program(board, s_halt) with { Devices = [new GenerationDevice(first)] });
        Assert.Equal(first, Generation(same));

        static Guid Generation(Machine machine)
        {
            byte[] id = new byte[16];
            Assert.True(machine.Memory.Read(0xfe028, id));
            return new Guid(id);
        }
    }

    [Fact]
    public void Ram_lies_around_the_hole_and_the_tables_in_the_bios_segment()
    {
        using Machine machine = Machine.Create(Program("q35", s_halt) with { Memory = 4UL << 30 });
        Assert.True(machine.Memory.Store(0x7fff_fff8, 8, 1));
        Assert.Null(machine.Memory.Find(0x8000_0000));
        Assert.True(machine.Memory.Store(0x1_7fff_fff8, 8, 1));
        Assert.Null(machine.Memory.Find(0x1_8000_0000));
        Assert.Null(machine.Memory.Find(0xa0000));
        byte[] signature = new byte[8];
        Assert.True(machine.Memory.Read(0xe0000, signature));
        Assert.Equal("RSD PTR "u8, signature);
        Assert.True(machine.Memory.Read(0xf0000, signature));
        Assert.Equal("_SM3_"u8, signature.AsSpan(0, 5));
        // The host bridge at 00:00.0, by memory and by ports.
        Assert.True(machine.Memory.Load(0xb000_0000, 4, out ulong id));
        Assert.Equal(0x29c08086ul, id);
        Assert.True(machine.Ports!.Store(0xcf8, 4, 0x8000f800) && machine.Ports.Load(0xcfc, 4, out id));
        Assert.Equal(0x29188086ul, id);
    }

    [Fact]
    public void Firmware_sees_its_rom_below_1_mib_until_it_turns_ram_on()
    {
        byte[] rom = new byte[256 << 10];
        rom[^16] = 0xf4; // hlt at the reset vector
        rom[^1] = 0x77;
        rom[128 << 10] = 0x55;
        using Machine machine = Machine.Create(new MachineOptions { Arch = "amd64", Firmware = _scratch.Write("rom", rom), Memory = 16 << 20, Accel = Accel.Interp });
        ulong Byte(ulong address) => machine.Memory.Load(address, 1, out ulong value) ? value : 0x100;
        Assert.Equal((0x77ul, 0x77ul, 0x55ul, 0x100ul), (Byte(0xffff_ffff), Byte(0xfffff), Byte(0xe0000), Byte(0xc0000)));
        Assert.False(machine.Memory.Store(0xfffff, 1, 1));
        // PAM0 to PAM6, by configuration ports.
        for (uint register = 0x90; register < 0x98; register += 4)
            Assert.True(machine.Ports!.Store(0xcf8, 4, 0x8000_0000 | register) && machine.Ports.Store(0xcfc, 4, register == 0x90 ? 0x33333330u : 0x00333333u));
        Assert.True(machine.Memory.Store(0xfffff, 1, 1) && machine.Memory.Store(0xc0000, 1, 2));
        Assert.Equal((1ul, 2ul, 0x77ul), (Byte(0xfffff), Byte(0xc0000), Byte(0xffff_ffff)));
        machine.Reset();
        Assert.Equal(0x77ul, Byte(0xfffff));
        // fw_cfg answers, and has the tables.
        Assert.True(machine.Ports!.Store(0x510, 2, 0));
        Assert.Equal("QEMU"u8, new[] { Port(), Port(), Port(), Port() });
        byte Port() => machine.Ports.Load(0x511, 1, out ulong value) ? (byte)value : (byte)0;
    }

    /// <summary>EDK2 puts the configuration space at E0000000h and PCI devices between RAM and it; SeaBIOS has it at B0000000h and the devices behind it.</summary>
    [Theory]
    [InlineData(0xe000_0000u, 0x8000_0000u)]
    [InlineData(0xb000_0000u, 0xc000_0000u)]
    public void Firmware_places_PCI_where_it_likes_and_the_tables_say_where(uint ecam, uint bar)
    {
        byte[] rom = new byte[64 << 10];
        rom[^16] = 0xf4; // hlt at the reset vector
        using Machine machine = Machine.Create(new MachineOptions { Arch = "amd64", Firmware = _scratch.Write("rom", rom), Memory = 64 << 20, Accel = Accel.Interp, Devices = [new DiskDevice(new NullDisk(), Interface: DiskInterface.Ahci)] });
        Config(0x60, ecam | 1);
        Assert.True(machine.Memory.Load(ecam, 4, out ulong id));
        Assert.Equal(0x29c08086ul, id);
        // The SATA controller's registers: version 1.3 at 10h.
        const uint Sata = 31 << 11 | 2 << 8;
        Config(Sata | 0x24, bar);
        Config(Sata | 4, 6);
        Assert.True(machine.Memory.Load(bar + 0x10, 4, out ulong version));
        Assert.Equal(0x10300ul, version);

        byte[] tables = File("etc/acpi/tables");
        int mcfg = tables.AsSpan().IndexOf("MCFG"u8);
        Assert.Equal(ecam, BitConverter.ToUInt64(tables, mcfg + 44));
        // DWordMemory descriptors (ACPI 6.5, section 6.4.3.5.2): one of the bridge's ranges holds the BAR, none the configuration space.
        (uint First, uint Last)[] ranges = [.. Enumerable.Range(0, tables.Length - 26).Where(i => tables[i] == 0x87 && tables[i + 1] == 23 && tables[i + 2] == 0)
            .Select(i => (BitConverter.ToUInt32(tables, i + 10), BitConverter.ToUInt32(tables, i + 14)))];
        Assert.Contains(ranges, r => r.First <= bar && bar < r.Last);
        Assert.DoesNotContain(ranges, r => r.First <= ecam && ecam < r.Last);

        void Config(uint register, uint value) => Assert.True(machine.Ports!.Store(0xcf8, 4, 0x8000_0000 | register) && machine.Ports.Store(0xcfc, 4, value));

        byte[] File(string name)
        {
            Assert.True(machine.Ports!.Store(0x510, 2, 0x19));
            int files = BinaryPrimitives.ReadInt32BigEndian(Bytes(4));
            for (int i = 0; i < files; i++)
            {
                byte[] entry = Bytes(64);
                if (!Encoding.ASCII.GetString(entry, 8, 56).TrimEnd('\0').Equals(name, StringComparison.Ordinal))
                    continue;
                Assert.True(machine.Ports.Store(0x510, 2, BinaryPrimitives.ReadUInt16BigEndian(entry.AsSpan(4))));
                return Bytes(BinaryPrimitives.ReadInt32BigEndian(entry));
            }
            throw new InvalidOperationException($"no file {name}");
        }

        byte[] Bytes(int count) => [.. Enumerable.Range(0, count).Select(_ => machine.Ports!.Load(0x511, 1, out ulong value) ? (byte)value : throw new InvalidOperationException())];
    }

    [Fact]
    public void Options_that_make_no_sense()
    {
        MachineOptions good = Program("q35", s_halt);
        Refused(good with { Board = "virt" }, "virt", "q35", "microvm");
        Refused(good with { Board = "q35,x=y" }, "x=y");
        Refused(good with { Cpu = "z80" }, "z80");
        Refused(good with { Kernel = null }, "--kernel");
        Refused(good with { Firmware = MachineOptions.FirmwareBuiltIn }, "SBI");
        Refused(good with { Board = "microvm", Firmware = "x" }, "microvm");
        Refused(good with { Firmware = _scratch.Write("rom", new byte[1 << 16]) }, "no bzImage", "--firmware");
        Refused(good with { Kernel = null, Firmware = _scratch.Write("rom", new byte[5000]) }, "5000");
        Refused(good with { Kernel = null, Firmware = _scratch.Path("nothing") }, "firmware", "does not exist");
        Refused(good with { Memory = 1 << 20 }, "memory");
        Refused(good with { DebugExitPort = 0x3f8 }, "0x3f8");
        Refused(good with { Board = "microvm", Devices = [new RngDevice(DeviceBus.Pci)] }, "PCI");
        Refused(good with { Board = "microvm", Devices = [.. Enumerable.Repeat(new RngDevice(), 40)] }, "virtio-mmio");
        Refused(good with { Devices = [new RngDevice(DeviceBus.Mmio)] }, "virtio-mmio");
        Refused(good with { Arch = "riscv64", Board = null, Cpu = "max" }, "x86_64");
    }

    private static void Refused(MachineOptions options, params string[] words)
    {
        string message = Assert.Throws<MachineException>(() => Machine.Create(options).Dispose()).Message;
        foreach (string word in words)
            Assert.Contains(word, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }
}
