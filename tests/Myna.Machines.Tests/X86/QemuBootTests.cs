using System.Diagnostics;
using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Machines.Firmware.Smbios;
using Myna.Machines.Loading;
using Myna.Machines.Tests.Support;
using Myna.Machines.X86;

namespace Myna.Machines.Tests.X86;

/// <summary>
/// What Myna's loader and tables put into memory, run by QEMU: its q35 gets a ROM that brings the processor into the state
/// that the loader asks for, the memory image, and the ACPI tables. Needs MYNA_TEST_QEMU_X86 (a command line that starts
/// qemu-system-x86_64), MYNA_TEST_KERNEL and, if wanted, MYNA_TEST_INITRD.
/// </summary>
public sealed class QemuBootTests : IDisposable
{
    private const ulong RamSize = 512 << 20;
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [FactIfVariable("MYNA_TEST_QEMU_X86", "MYNA_TEST_KERNEL")]
    public void Linux_boots_from_the_loaders_memory_image()
    {
        string kernel = Environment.GetEnvironmentVariable("MYNA_TEST_KERNEL")!;
        var options = new MachineOptions
        {
            Arch = "x86_64", Kernel = kernel, Initrd = Environment.GetEnvironmentVariable("MYNA_TEST_INITRD") is { Length: > 0 } initrd ? initrd : null, Memory = RamSize,
            Append = Environment.GetEnvironmentVariable("MYNA_TEST_APPEND") ?? "console=ttyS0 panic=-1 myna.nonet", Board = "q35",
        };
        using var ram = new Ram("ram", RamSize);
        var memory = new AddressSpace();
        memory.Map(0, ram);
        using var boot = new DirectBoot(options, Q35MemoryMap.Memory(RamSize), "") { Rsdp = 0xe0000 };
        X86BootState state = boot.Load(memory);
        (byte[] rsdp, byte[] tables) = new Q35Chipset().Tables(1, Q35MemoryMap.Memory(RamSize), 0x8086a201, new(1)).Place(0xe0100);
        byte[] rom = new byte[128 << 10];
        rsdp.CopyTo(rom, 0);
        tables.CopyTo(rom, 0x100);
        byte[] smbios = SmbiosTables.Structures(new SmbiosMachine("q35", 1, [(0, RamSize)]));
        SmbiosTables.EntryPoint(0xf0020, smbios.Length).CopyTo(rom, 0x10000);
        smbios.CopyTo(rom, 0x10020);
        EntryRom.Build(state).CopyTo(rom, rom.Length - 4096);
        string image = _scratch.Path("ram");
        using (FileStream file = File.Create(image))
        {
            byte[] chunk = new byte[1 << 20];
            for (ulong at = 0; at < RamSize; at += (ulong)chunk.Length)
            {
                Assert.True(memory.Read(at, chunk));
                file.Write(chunk);
            }
        }
        string[] command = Environment.GetEnvironmentVariable("MYNA_TEST_QEMU_X86")!.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] arguments = [.. command.Skip(1), "-M", "q35", "-m", "512", "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot",
            "-bios", _scratch.Write("rom", rom), "-device", $"loader,file={image},addr=0,force-raw=on"];
        using var process = Process.Start(new ProcessStartInfo(command[0], arguments) { RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true })!;
        process.StandardInput.Close();
        using var patience = new Timer(_ => process.Kill(), null, 120_000, Timeout.Infinite);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + error.Result;
        process.WaitForExit();
        File.WriteAllText(Path.Combine(Path.GetTempPath(), "myna-qemu-boot.log"), output);
        Assert.Contains("Linux version", output, StringComparison.Ordinal);
        Assert.Contains("ACPI: RSDP", output, StringComparison.Ordinal);
        Assert.DoesNotContain("ACPI Error", output, StringComparison.Ordinal);
        Assert.DoesNotContain("ACPI BIOS", output, StringComparison.Ordinal);
    }
}
