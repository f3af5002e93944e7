using System.Diagnostics;

namespace Myna.Boot.Tests;

public class FirmwareTests
{
    private const string OpenSbi = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin";
    private const string UBoot = "/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf";

    [FactWith(OpenSbi, "opensbi")]
    public void Linux_boots_on_OpenSBI()
    {
        Result result = MynaProgram.Run("echo up\npoweroff\n", ["run", "--firmware", OpenSbi, "--cpus", "2"]);
        Assert.Equal(0, result.Status);
        Assert.Contains("OpenSBI v", result.Output, StringComparison.Ordinal);
        Assert.Contains("\nup", result.Output.Replace("\r", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [FactWith(UBoot, "u-boot-qemu")]
    public void UBoot_reaches_its_prompt()
    {
        using Process process = MynaProgram.Start("run", "--firmware", OpenSbi, "--kernel", UBoot, "--net", "none");
        _ = process.StandardError.ReadToEndAsync();
        var timer = new Timer(_ => process.Kill(entireProcessTree: true), null, TimeSpan.FromMinutes(3), Timeout.InfiniteTimeSpan);
        string seen = "";
        bool typed = false;
        while (process.StandardOutput.Read() is int c and >= 0)
        {
            seen += (char)c;
            // Any key stops the countdown; "poweroff" ends the machine through SBI.
            if (!typed && seen.Contains("Hit any key", StringComparison.Ordinal))
            {
                typed = true;
                process.StandardInput.Write("\r");
                process.StandardInput.Flush();
            }
            if (typed && seen.EndsWith("\n=> ", StringComparison.Ordinal))
            {
                process.StandardInput.Write("poweroff\r");
                process.StandardInput.Flush();
            }
        }
        process.WaitForExit();
        timer.Dispose();
        Assert.Contains("U-Boot 20", seen, StringComparison.Ordinal);
        Assert.Contains("\n=> ", seen, StringComparison.Ordinal);
        Assert.Equal(0, process.ExitCode);
    }
}
