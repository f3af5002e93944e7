using Myna.Cli.Consoles;
using Myna.Host;
using Myna.Machines;
using Myna.Machines.Guests;

namespace Myna.Cli.Commands;

/// <summary><c>myna run --accel lockstep</c>: translator against interpreter on a whole machine.</summary>
internal static class LockstepRunner
{
    /// <returns>0 when the guest ended or waits for ever and both engines agreed to there, 1 when they parted.</returns>
    public static int Run(RunSettings settings, Guest? guest, CancellationToken cancellation)
    {
        using var output = new OutputPump(StandardStreams.OpenOutput(), "console output");
        using var machine = new LockstepMachine(new MachineOptions
        {
            Arch = settings.Arch,
            Board = settings.Board,
            Cpu = settings.Cpu,
            Cpus = settings.Cpus,
            DebugExitPort = settings.DebugExitPort,
            Memory = settings.Memory,
            Kernel = guest?.Kernel ?? settings.Kernel,
            KernelEntry = settings.KernelEntry,
            Initrd = settings.Initrd ?? guest?.Initrd,
            Append = guest is null ? settings.Append : $"{GuestRecipe.For(settings.Arch).CommandLine} myna.nonet {settings.Append}",
            Firmware = settings.Firmware,
            Console = new CharPort(output.Write),
            Devices = [new RngDevice()],
            Signature = settings.Signature,
            SignatureGranularity = settings.SignatureGranularity,
        });
        LockstepResult result = machine.Run(cancellation: cancellation);
        output.Drain();
        if (result.Difference is not null)
            throw new UserException($"the engines differ: {result.Difference}");
        Output.Note($"myna: the engines agree after {result.Instructions} instructions; {(result.Exit is null ? "the guest waits for input" : "the guest ended")}");
        return result.Exit?.Status & 0xFF ?? 0;
    }
}
