using System.Buffers.Binary;
using System.Text;
using Myna.Cpu.X86;
using Myna.Devices.FirmwareConfig;
using Myna.Hardware.Memory;
using Myna.Machines.Loading.X86;
using Myna.Machines.Tests.Support;
using Myna.Machines.X86;

namespace Myna.Machines.Tests.X86;

/// <summary>What the loaders of a PC put into memory, against the protocols' documents, with images made here.</summary>
public sealed class DirectBootTests : IDisposable
{
    private const ulong RamSize = 64 << 20;
    private readonly Scratch _scratch = new();
    private readonly Ram _ram = new("ram", RamSize);
    private readonly AddressSpace _memory = new();

    public DirectBootTests() => _memory.Map(0, _ram);

    public void Dispose()
    {
        _ram.Dispose();
        _scratch.Dispose();
    }

    private MachineOptions Options(byte[] kernel) => new()
    {
        Arch = "x86_64", Board = "q35", Kernel = _scratch.Write("kernel", kernel), Memory = RamSize, Random = bytes => Array.Fill(bytes, (byte)0x5a),
    };

    private X86BootState Boot(MachineOptions options, string commandLine = "")
    {
        using var boot = new DirectBoot(options, Q35MemoryMap.Memory(options.Memory), commandLine) { Rsdp = 0xe0000 };
        return boot.Load(_memory);
    }

    private static void Refused(MachineOptions options, params string[] words)
    {
        string message = Assert.Throws<MachineException>(() => new DirectBoot(options, Q35MemoryMap.Memory(options.Memory), "").Dispose()).Message;
        foreach (string word in words)
            Assert.Contains(word, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private uint U32(ulong address) => _memory.Load(address, 4, out ulong value) ? (uint)value : throw new InvalidOperationException();
    private ulong U64(ulong address) => _memory.Load(address, 8, out ulong value) ? value : throw new InvalidOperationException();

    private string Text(ulong address)
    {
        var text = new StringBuilder();
        while (_memory.Load(address++, 1, out ulong c) && c != 0)
            text.Append((char)c);
        return text.ToString();
    }

    /// <summary>A bzImage by boot.rst: boot sector, one setup sector, 4 KiB of kernel, of which the first bytes tell their place.</summary>
    internal static byte[] BzImage(int version = 0x020f, bool wide = true, uint initSize = 0x100000, uint initrdMaximum = 0x7fffffff)
    {
        byte[] image = new byte[1024 + 4096];
        void U16(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(at), (ushort)value);
        void Set32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(at), value);
        image[0x1f1] = 1;
        Set32(0x1f4, 4096 / 16);
        U16(0x1fe, 0xaa55);
        image[0x201] = 0x6a;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        U16(0x206, version);
        image[0x211] = 1;
        Set32(0x214, 0x100000);
        Set32(0x22c, initrdMaximum);
        U16(0x236, wide ? 1 : 0);
        Set32(0x238, 64);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(0x258), 0x1000000);
        Set32(0x260, initSize);
        Set32(1024, 0x12345678);
        return image;
    }

    private static byte[] Multiboot(uint flags, uint load = 0x200000, uint bss = 0)
    {
        byte[] image = new byte[0x100];
        uint[] header = [0x1badb002, flags, unchecked(0u - 0x1badb002 - flags), load + 16, load, 0, bss, load + 0x40];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(16 + i * 4), header[i]);
        return image;
    }

    [Fact]
    public void A_bzimage_starts_at_its_64_bit_entry_with_boot_params()
    {
        byte[] initrd = new byte[5000];
        initrd[0] = 0x77;
        MachineOptions options = Options(BzImage()) with { Initrd = _scratch.Write("initrd", initrd), Append = "quiet" };
        X86BootState state = Boot(options, "console=ttyS0");
        Assert.Equal(X86BootMode.Long64, state.Mode);
        Assert.Equal(0x100200ul, state.Rip);
        Assert.Equal((0x10, 0x18), (state.CodeSelector, state.DataSelector));
        Assert.Equal(0x12345678u, U32(0x100000));
        ulong page = state.Rsi;
        Assert.Equal(0x53726448u, U32(page + 0x202));
        Assert.Equal(0xffu, U32(page + 0x210) & 0xff);
        Assert.Equal("console=ttyS0 quiet", Text(U32(page + 0x228)));
        Assert.Equal(0xe0000ul, U64(page + 0x70));
        Assert.Equal(5000u, U32(page + 0x21c));
        ulong ramdisk = U32(page + 0x218);
        Assert.Equal(0ul, ramdisk % 4096);
        Assert.InRange(ramdisk + 5000, RamSize - 8192, RamSize);
        Assert.Equal(0x77u, U32(ramdisk) & 0xff);
        // The memory map: conventional memory first, then a hole, then the rest.
        Assert.InRange(U32(page + 0x1e8) & 0xff, 4u, 20u);
        Assert.Equal((0ul, 0x9fc00ul, 1u), (U64(page + 0x2d0), U64(page + 0x2d8), U32(page + 0x2e0)));
        // A seed for random numbers (SETUP_RNG_SEED).
        ulong data = U64(page + 0x250);
        Assert.Equal((9u, 32u, 0x5a5a5a5au), (U32(data + 8), U32(data + 12), U32(data + 16)));
        // The tables map every 2 MiB to themselves.
        foreach (ulong address in new ulong[] { 0, 0x100000, 0x3fe00000, 0x40000000, 0xffe00000 })
        {
            ulong pdpt = U64(state.Cr3) & ~0xffful, directory = U64(pdpt + (address >> 30) * 8) & ~0xffful, entry = U64(directory + (address >> 21 & 511) * 8);
            Assert.Equal((address & ~0x1ffffful) | 0x83, entry);
        }
        Assert.Equal(0x00af9b000000fffful, U64(state.GdtBase + 0x10));
    }

    [Fact]
    public void A_screen_with_text_is_told_by_screen_info()
    {
        Assert.Equal((0u, 0u), (U32(Boot(Options(BzImage())).Rsi + 4), U32(Boot(Options(BzImage())).Rsi + 0xe)));
        using var boot = new DirectBoot(Options(BzImage()), Q35MemoryMap.Memory(RamSize), "") { HasTextMode = true };
        ulong page = boot.Load(_memory).Rsi;
        // Page 0, mode 3, 80 columns; 25 lines, a VGA, 16 dots high.
        Assert.Equal((0x50_03_0000u, 0x0010_0119u), (U32(page + 4), U32(page + 0xe)));
    }

    [Fact]
    public void A_program_in_a_kernels_form_needs_a_BIOS_and_has_no_console()
    {
        byte[] image = BzImage();
        image.AsSpan(0x214, 4).Clear();
        Refused(Options(image), "--firmware bios");
        Assert.Equal("", Words(image));
        Assert.Equal("console=ttyS0", Words(BzImage()));

        string Words(byte[] kernel) => Encoding.ASCII.GetString(
            new FirmwareKernel(Options(kernel), Q35MemoryMap.Memory(RamSize), "console=ttyS0").Items.First(i => i.Key == FwCfg.CMDLINE_DATA).Value).TrimEnd('\0');
    }

    [Theory]
    [InlineData(null, "console=ttyS0")]
    [InlineData("quiet", "console=ttyS0 quiet")]
    [InlineData("quiet console=hvc0", "quiet console=hvc0")]
    public void The_board_names_its_console_unless_the_user_does(string? append, string expected)
        => Assert.Equal(expected, Text(U32(Boot(Options(BzImage()) with { Append = append }, "console=ttyS0").Rsi + 0x228)));

    [Theory]
    [InlineData("quiet", "console=ttyS0 quiet")]
    [InlineData("acpi=off", "console=ttyS0 acpi=off virtio_mmio.device=4K@0xfeb00000:16 virtio_mmio.device=4K@0xfeb01000:17")]
    public void Microvm_names_its_devices_to_a_kernel_without_acpi(string append, string expected)
    {
        MachineOptions options = Options(BzImage()) with { Board = "microvm", Append = append, Devices = [new RngDevice(), new RngDevice()], Accel = Accel.Interp };
        byte[] kernel = File.ReadAllBytes(options.Kernel!);
        kernel[0x239] = 1; // cmdline_size 320
        File.WriteAllBytes(options.Kernel!, kernel);
        using Machine machine = Machine.Create(options);
        byte[] line = new byte[expected.Length + 1];
        Assert.True(machine.Memory.Read(0x20000, line));
        Assert.Equal(expected + "\0", Encoding.ASCII.GetString(line));
        // The MultiProcessor Specification's pointer, where systems look for it, and the table.
        Assert.True(machine.Memory.Read(0xf8000, line.AsSpan(0, 20)));
        Assert.Equal("_MP_"u8, line.AsSpan(0, 4));
        Assert.Equal("PCMP"u8, line.AsSpan(16, 4));
        Assert.Equal(0, line.Take(16).Sum(b => b) & 0xff);
        byte[] table = new byte[BinaryPrimitives.ReadUInt16LittleEndian(TableHead(machine)[4..])];
        Assert.True(machine.Memory.Read(0xf8010, table));
        Assert.Equal(0, table.Sum(b => b) & 0xff);
    }

    private static byte[] TableHead(Machine machine)
    {
        byte[] head = new byte[8];
        Assert.True(machine.Memory.Read(0xf8010, head));
        return head;
    }

    [Fact]
    public void A_32_bit_bzimage_starts_in_protected_mode()
    {
        X86BootState state = Boot(Options(BzImage(wide: false)));
        Assert.Equal((X86BootMode.Protected32, 0x100000ul), (state.Mode, state.Rip));
        Assert.Equal(0x53726448u, U32(state.Rsi + 0x202));
        Assert.Equal(0x00cf9b000000fffful, U64(state.GdtBase + 0x10));
    }

    [Fact]
    public void The_real_mode_code_of_a_bzimage_gets_what_a_loader_fills_in()
    {
        MachineOptions options = Options(BzImage()) with { Initrd = _scratch.Write("initrd", new byte[5000]), Append = "quiet", KernelEntry = 16 };
        X86BootState state = Boot(options);
        Assert.Equal((X86BootMode.Real, 0ul, (ushort)0x1020, (ushort)0x1000, 0xe000ul), (state.Mode, state.Rip, state.CodeSelector, state.DataSelector, state.Rsp));
        Assert.Equal(0x12345678u, U32(0x100000));
        Assert.Equal(0x53726448u, U32(0x10202));
        // type_of_loader; loadflags: LOADED_HIGH, CAN_USE_HEAP; heap_end_ptr counts from the header's 200h (boot.rst).
        Assert.Equal((0x81ffu, 0xde00u), (U32(0x10210) & 0xffff, U32(0x10224) & 0xffff));
        Assert.Equal("quiet", Text(U32(0x10228)));
        Assert.Equal(5000u, U32(0x1021c));
        Assert.InRange(U32(0x10218) + 5000ul, RamSize - 8192, RamSize);
        Assert.Equal(9u, U32(U32(0x10250) + 8ul));
    }

    [Fact]
    public void Another_entry_of_a_bzimage_can_be_asked_for()
    {
        Assert.Equal((X86BootMode.Protected32, 0x100000ul), (Boot(Options(BzImage()) with { KernelEntry = 32 }).Mode, Boot(Options(BzImage()) with { KernelEntry = 32 }).Rip));
        Assert.Equal(0x100200ul, Boot(Options(BzImage()) with { KernelEntry = 64 }).Rip);
        Refused(Options(BzImage(wide: false)) with { KernelEntry = 64 }, "no 64-bit entry");
        Refused(Options(Multiboot(1 << 16)) with { KernelEntry = 16 }, "no bzImage", "--kernel-entry");
        byte[] large = BzImage();
        large[0x1f1] = 64;
        Array.Resize(ref large, 65 * 512 + 4096);
        Assert.Contains("real-mode code", Assert.Throws<MachineException>(() => Boot(Options(large) with { KernelEntry = 16 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_note_of_xen_makes_an_elf_kernel_pvh()
    {
        byte[] initrd = [1, 2, 3];
        byte[] elf = X86Elf.Make(0x100000, wide: true, new byte[0x200], entry: 0x100010, pvhEntry: 0x100020);
        X86BootState state = Boot(Options(elf) with { Initrd = _scratch.Write("initrd", initrd), Append = "a b" });
        Assert.Equal((X86BootMode.Protected32, 0x100020ul), (state.Mode, state.Rip));
        ulong info = state.Rbx;
        Assert.Equal((0x336ec578u, 1u, 1u), (U32(info), U32(info + 4), U32(info + 12)));
        ulong module = U64(info + 16);
        Assert.Equal(3ul, U64(module + 8));
        Assert.Equal(0x030201u, U32(U64(module)) & 0xffffff);
        Assert.Equal("a b", Text(U64(info + 24)));
        Assert.Equal(0xe0000ul, U64(info + 32));
        ulong map = U64(info + 40);
        Assert.Equal((0ul, 0x9fc00ul, 1u), (U64(map), U64(map + 8), U32(map + 16)));
        Assert.InRange(U32(info + 48), 4u, 20u);
    }

    [Fact]
    public void An_elf_vmlinux_without_a_note_gets_boot_params()
    {
        X86BootState state = Boot(Options(X86Elf.Make(0x1000000, wide: true, new byte[64], entry: 0x1000008)));
        Assert.Equal((X86BootMode.Long64, 0x1000008ul), (state.Mode, state.Rip));
        Assert.Equal(0x53726448u, U32(state.Rsi + 0x202));
    }

    [Fact]
    public void Multiboot_with_address_fields_and_modules()
    {
        string first = _scratch.Write("one", [1, 1]), second = _scratch.Write("two", [2]);
        MachineOptions options = Options(Multiboot(1 << 16 | 3, bss: 0x203000)) with { Initrd = $"{first} x y,{second}", Append = "1 2" };
        _memory.Store(0x202ff8, 8, ulong.MaxValue);
        X86BootState state = Boot(options);
        Assert.Equal((X86BootMode.Protected32, 0x200040ul, 0x2badb002ul), (state.Mode, state.Rip, state.Rax));
        Assert.Equal(0x1badb002u, U32(0x200010));
        Assert.Equal(0ul, U64(0x202ff8));
        ulong info = state.Rbx;
        Assert.Equal(0x24du, U32(info));
        Assert.Equal((639u, (uint)(RamSize >> 10) - 1024), (U32(info + 4), U32(info + 8)));
        Assert.Equal($"{options.Kernel} 1 2", Text(U32(info + 16)));
        Assert.Equal(2u, U32(info + 20));
        ulong modules = U32(info + 24);
        Assert.Equal((0x203000u, 0x203002u), (U32(modules), U32(modules + 4)));
        Assert.Equal($"{first} x y", Text(U32(modules + 8)));
        Assert.Equal((0x204000u, 0x204001u), (U32(modules + 16), U32(modules + 20)));
        Assert.Equal(2u, U32(0x204000) & 0xff);
        uint mapLength = U32(info + 44);
        ulong map = U32(info + 48);
        Assert.Equal(0u, mapLength % 24);
        Assert.Equal((20u, 0ul, 0x9fc00ul, 1u), (U32(map), U64(map + 4), U64(map + 12), U32(map + 20)));
        Assert.Equal("Myna", Text(U32(info + 64)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Multiboot_in_an_elf_file(bool wide)
    {
        byte[] code = new byte[0x100];
        Multiboot(3).AsSpan(16, 12).CopyTo(code);
        X86BootState state = Boot(Options(X86Elf.Make(0x400000, wide, code, entry: 0x400020)));
        Assert.Equal((X86BootMode.Protected32, 0x400020ul, 0x2badb002ul), (state.Mode, state.Rip, state.Rax));
        Assert.Equal(0x1badb002u, U32(0x400000));
    }

    /// <summary>A header of multiboot 2 with tags at byte 16, and what the address tag says: the file's first byte goes to <paramref name="load"/>.</summary>
    private static byte[] Multiboot2(uint load, params uint[][] tags)
    {
        List<uint> body = [];
        foreach (uint[] tag in tags.Append([0, 8]))
        {
            body.AddRange(tag);
            if (body.Count % 2 != 0)
                body.Add(0);
        }
        uint length = 16 + (uint)body.Count * 4;
        uint[] header = [0xe85250d6, 0, length, unchecked(0u - 0xe85250d6 - length), .. body];
        byte[] image = new byte[0x200];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(16 + i * 4), header[i]);
        image[0x100] = (byte)load;
        return image;
    }

    // Addresses of the header, of the file's part from the header on, and of the entry.
    private static uint[][] Places(uint load) => [[2, 24, load + 16, load, 0, load + 0x1000], [3, 12, load + 0x40]];

    [Fact]
    public void Multiboot2_passes_tags()
    {
        string module = _scratch.Write("one", [1, 1]);
        MachineOptions options = Options(Multiboot2(0x200000, [.. Places(0x200000), [1, 16, 6, 15], [10, 24, 0x200000, 0xffffffff, 4096, 0], [5 | 1 << 16, 20, 0, 0, 0]]))
            with { Initrd = $"{module} x y", Append = "1 2" };
        _memory.Store(0x200ff8, 8, ulong.MaxValue);
        _memory.Write(0xe0000, "RSD PTR abcdefghijklmnopqrstuvwxyz12"u8);
        X86BootState state = Boot(options);
        Assert.Equal((X86BootMode.Protected32, 0x200040ul, 0x36d76289ul), (state.Mode, state.Rip, state.Rax));
        Assert.Equal(0xe85250d6u, U32(0x200010));
        Assert.Equal(0ul, U64(0x200ff8));
        Dictionary<uint, ulong> tags = [];
        ulong at = state.Rbx + 8, end = state.Rbx + U32(state.Rbx);
        uint type;
        do
        {
            Assert.Equal(0ul, at % 8);
            type = U32(at);
            tags.Add(type, at + 8);
            at += (U32(at + 4) + 7) & ~7u;
        }
        while (type != 0);
        Assert.Equal(end, at);
        Assert.Equal($"{options.Kernel} 1 2", Text(tags[1]));
        Assert.Equal("Myna", Text(tags[2]));
        Assert.Equal((0x201000u, 0x201002u, $"{module} x y"), (U32(tags[3]), U32(tags[3] + 4), Text(tags[3] + 8)));
        Assert.Equal((639u, (uint)(RamSize >> 10) - 1024), (U32(tags[4]), U32(tags[4] + 4)));
        Assert.Equal((24u, 0u, 0ul, 0x9fc00ul, 1u), (U32(tags[6]), U32(tags[6] + 4), U64(tags[6] + 8), U64(tags[6] + 16), U32(tags[6] + 24)));
        Assert.Equal((20u + 8, 36u + 8), (U32(tags[14] - 4), U32(tags[15] - 4)));
        Assert.Equal(U64(0xe0000), U64(tags[15]));
        Assert.Equal(0x200000u, U32(tags[21]));
    }

    [Fact]
    public void Multiboot2_in_an_elf_file_with_the_older_header_too()
    {
        byte[] code = new byte[0x200];
        Multiboot2(0).AsSpan(16, 24).CopyTo(code);
        Multiboot(3).AsSpan(16, 12).CopyTo(code.AsSpan(0x100));
        X86BootState state = Boot(Options(X86Elf.Make(0x400000, wide: false, code, entry: 0x400020)));
        Assert.Equal((0x400020ul, 0x36d76289ul), (state.Rip, state.Rax));
        Refused(Options(Multiboot2(0x200000, [.. Places(0x200000), [1, 12, 5]])), "type 5");
        Refused(Options(Multiboot2(0x200000, [.. Places(0x200000), [99, 8]])), "99");
        Refused(Options(Multiboot2(0x200000, [[2, 24, 0x1ffff0, 0x200000, 0, 0], [3, 12, 0x200000]])), "no sense");
        Refused(Options(Multiboot2(0x200000, [[2, 24, 0x200010, 0x200000, 0x300000, 0], [3, 12, 0x200000]])), "truncated");
    }

    [Fact]
    public void Kernels_that_cannot_be_used()
    {
        Refused(Options([1, 2, 3]), "no kernel for x86");
        Refused(Options(new byte[100_000]), "no kernel for x86");
        Refused(Options(BzImage()[..2000]), "truncated", "2000");
        Refused(Options(BzImage(version: 0x0200)), "zImage");
        Refused(Options(BzImage(initSize: 0x7000000)), "--memory");
        Refused(Options(BzImage()) with { Append = new string('x', 65) }, "65", "--append");
        Refused(Options(BzImage()) with { Initrd = _scratch.Path("nothing") }, "initrd", "does not exist");
        Refused(Options(BzImage()) with { Initrd = _scratch.Write("large", new byte[RamSize]) }, "initrd", "--memory");
        Refused(Options(Multiboot(1 << 16 | 8)), "0x8");
        Refused(Options(Multiboot(1 << 16, load: 0x8000000)), "--memory");
        Refused(Options(Multiboot(1 << 16, load: 0x1000)), "1 MiB");
        Refused(Options(Multiboot(1 << 16)[..40]), "truncated");
        Refused(Options(new Elf(new byte[16]).ToArray()), "another processor", "x86_64");
        Refused(Options(X86Elf.Make(0x100000, wide: true, new byte[64], entry: 0x100000)[..130]), "truncated");
        Refused(Options("\x28\xb5\x2f\xfd"u8.ToArray()), "no kernel");
        byte[] riscv = new byte[100];
        "RSC\x05"u8.CopyTo(riscv.AsSpan(56));
        Refused(Options(riscv), "riscv64");
    }

    [Fact]
    public void Large_memory_is_split_around_the_hole_for_devices()
    {
        PcMemory small = Q35MemoryMap.Memory(0xb000_0000), large = Q35MemoryMap.Memory(4UL << 30);
        Assert.Equal((0xb000_0000ul, 0ul), (small.BelowHole, small.AboveHole));
        Assert.Equal((0x8000_0000ul, 0x8000_0000ul, 0x1_8000_0000ul), (large.BelowHole, large.AboveHole, large.End));
        Assert.Contains(large.Map, e => e is { Start: 1UL << 32, Size: 0x8000_0000, Type: E820Type.Ram });
        Assert.Contains(large.Map, e => e is { Start: Q35MemoryMap.Ecam, Type: E820Type.Reserved });
    }
}
