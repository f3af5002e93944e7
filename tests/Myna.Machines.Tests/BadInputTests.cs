using System.IO.Compression;
using Myna.Machines.Tests.Support;

namespace Myna.Machines.Tests;

/// <summary>Each mistake gets a message that names the thing and the remedy.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly Scratch _scratch = new();
    private static readonly byte[] s_code = new Rv().Loop().ToArray();

    public void Dispose() => _scratch.Dispose();

    private static void Refused(MachineOptions options, params string[] words)
    {
        string message = Assert.Throws<MachineException>(() => Machine.Create(options).Dispose()).Message;
        foreach (string word in words)
            Assert.Contains(word, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private MachineOptions Kernel(byte[] bytes, ulong memory = 16 << 20)
        => new() { Kernel = _scratch.Write("kernel", bytes), Memory = memory, Accel = Accel.Interp };

    private static byte[] Image(int length, ulong memorySize = 0)
    {
        byte[] image = new byte[length];
        s_code.CopyTo(image, 0);
        BitConverter.TryWriteBytes(image.AsSpan(16), memorySize);
        "RISCV\0\0\0RSC\x05"u8.CopyTo(image.AsSpan(48));
        return image;
    }

    [Fact]
    public void Files_that_are_not_there_empty_or_directories()
    {
        Refused(new() { Kernel = _scratch.Path("nothing") }, "kernel", "nothing", "does not exist");
        Refused(new() { Kernel = _scratch.Path("no/where") }, "does not exist");
        Refused(Kernel([]), "empty");
        Refused(new() { Kernel = _scratch.Path("") }, "directory");
        Refused(Kernel(s_code) with { Initrd = _scratch.Path("nothing") }, "initrd", "does not exist");
        Refused(Kernel(s_code) with { Initrd = "/dev/zero" }, "initrd", "does not end");
        Refused(Kernel(s_code) with { Firmware = _scratch.Path("nothing") }, "firmware", "does not exist");
        Refused(Kernel(s_code) with { Flash = _scratch.Path("nothing") }, "flash", "does not exist");
    }

    [Fact]
    public void A_kernel_that_shrinks_before_a_reset_ends_the_machine()
    {
        // Waits for a word to change, then resets itself; the image is cut while it runs the first time.
        byte[] image = new byte[1 << 20];
        new Rv().Li(Rv.T0, 0x8020_0000).Lw(Rv.T1, Rv.T0, 0).Word(0xfe030ee3 /* beq t1, zero, -4 */).Finish(0x7777).ToArray().CopyTo(image, 0);
        MachineOptions options = Kernel(image) with { Firmware = "none" };
        using Machine machine = Machine.Create(options);
        machine.Start();
        using (FileStream file = new(options.Kernel!, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(100);
        Assert.True(machine.Memory.Store(0x8020_0000, 4, 1));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        MachineExit exit = machine.WaitForExit(patience.Token);
        Assert.Equal((ExitReason.InternalError, 1), (exit.Reason, exit.Status));
        Assert.Contains("shorter", exit.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_to_start()
    {
        Refused(new(), "--kernel");
        Refused(new() { Firmware = "none" }, "--kernel");
    }

    [Theory]
    [InlineData(62, "x86-64")]
    [InlineData(183, "arm64")]
    [InlineData(40, "arm")]
    public void Elf_files_for_other_machines(ushort machine, string name) => Refused(Kernel(new Elf(s_code) { Machine = machine }.ToArray()), name, "riscv64");

    [Fact]
    public void Elf_files_that_cannot_run_here()
    {
        Refused(Kernel(new Elf(s_code) { Class = 1 }.ToArray()), "32-bit");
        Refused(Kernel(new Elf(s_code) { Data = 2 }.ToArray()), "big-endian");
        Refused(Kernel(new Elf(s_code) { Type = 1 }.ToArray()), "link");
        Refused(Kernel(new Elf(s_code, 0x1000_0000).ToArray()), "outside RAM", "0x10000000");
        Refused(Kernel(new Elf(s_code, 0x8200_0000).ToArray()), "outside RAM");
        Refused(Kernel(new Elf(s_code) { ExtraMemory = 1 << 30 }.ToArray()), "outside RAM", "--memory");
        Refused(Kernel(new Elf(s_code) { Entry = 0x1234 }.ToArray()), "starts at 0x1234");
        byte[] whole = new Elf(s_code).ToArray();
        Refused(Kernel(whole[..0x1001]), "truncated");
        Refused(Kernel(whole[..100]), "truncated");
        Refused(Kernel(whole[..20]), "truncated");
    }

    [Fact]
    public void Kernels_for_other_machines_and_files_of_other_kinds()
    {
        byte[] x86 = new byte[0x400];
        "HdrS"u8.CopyTo(x86.AsSpan(0x202));
        Refused(Kernel(x86), "x86");
        byte[] arm = new byte[0x400];
        "ARMd"u8.CopyTo(arm.AsSpan(56));
        Refused(Kernel(arm), "arm64");
        Refused(Kernel([0x28, 0xb5, 0x2f, 0xfd, .. new byte[100]]), "zstd");
        Refused(Kernel([.. "070701"u8, .. new byte[100]]), "cpio", "--initrd");
        Refused(Kernel([0x51, 0x46, 0x49, 0xfb, .. new byte[100]]), "qcow2", "--disk");
    }

    [Fact]
    public void Compressed_kernels_that_are_cut_off_or_damaged()
    {
        var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write([.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * i >> 3))]);
        byte[] whole = stream.ToArray();
        Refused(Kernel(whole[..(whole.Length / 2)]), "gzip");
        Refused(Kernel(whole[..^4]), "gzip");
        for (int i = 200; i < 400; i++)
            whole[i] ^= 0x55;
        Refused(Kernel(whole), "gzip");
    }

    [Fact]
    public void An_image_that_is_cut_off_says_so()
    {
        byte[] image = Image(0x2000);
        "MZ"u8.CopyTo(image);
        image[60] = 0x40;
        "PE\0\0"u8.CopyTo(image.AsSpan(0x40));
        image[0x46] = 1; // one section, right behind the header
        BitConverter.TryWriteBytes(image.AsSpan(0x58 + 16), 0x1000u);
        BitConverter.TryWriteBytes(image.AsSpan(0x58 + 20), 0x1000u);
        using (Machine.Create(Kernel(image)))
        {
        }
        Refused(Kernel(image[..0x1800]), "truncated", "8192");
    }

    [Fact]
    public void Images_that_do_not_fit()
    {
        Refused(Kernel(Image(0x1000, 64 << 20)), "--memory");
        Refused(Kernel(Image(0x1000), 2 << 20), "--memory");
        Refused(Kernel(s_code) with { Initrd = _scratch.Write("initrd", new byte[14 << 20]) }, "initrd", "--memory");
        Refused(Kernel(s_code) with { Flash = _scratch.Write("flash", new byte[(32 << 20) + 1]) }, "32 MiB");
        string firmware = _scratch.Write("firmware", new Elf(s_code, 0x8020_0000).ToArray());
        Refused(Kernel(new Elf(s_code, 0x8020_0000).ToArray()) with { Firmware = firmware }, "overlap");
    }

    [Fact]
    public void Sizes_and_names_that_make_no_sense()
    {
        MachineOptions good = Kernel(s_code);
        Refused(good with { Memory = 0 }, "memory");
        Refused(good with { Memory = 1UL << 60 }, "memory");
        Refused(good with { Memory = (16 << 20) + 1 }, "4096");
        Refused(good with { Cpus = 0 }, "CPUs");
        Refused(good with { Cpus = 65 }, "64");
        Refused(good with { Arch = "vax" }, "vax", "riscv64");
        Refused(good with { Board = "spike" }, "spike", "virt");
        Refused(good with { Board = "virt,color=red" }, "color=red");
        Refused(good with { Board = "virt,aia=aplic" }, "aia=aplic-imsic");
        Refused(good with { SignatureGranularity = 3 }, "granularity");
        Refused(good with { Firmware = "none", Initrd = "x" }, "--initrd");
    }

    [Fact]
    public void More_devices_than_the_board_has_room_for()
    {
        Refused(Kernel(s_code) with { Devices = [.. Enumerable.Repeat(new RngDevice(DeviceBus.Mmio), 9)] }, "8 virtio-mmio");
        Refused(Kernel(s_code) with { Devices = [.. Enumerable.Repeat(new RngDevice(), 40)] }, "PCI");
    }
}
