using Myna.Hardware.Backends;
using Myna.Machines;

namespace Myna.Cli.Consoles;

/// <summary>Connects a machine's serial ports as the user said.</summary>
internal static class SerialPorts
{
    /// <param name="wanted">From the first port on; the first one is the user's terminal unless it is named here.</param>
    /// <param name="terminal">The user's terminal.</param>
    /// <exception cref="UserException">One cannot be opened.</exception>
    public static MachineOptions Connect(IReadOnlyList<SerialOption> wanted, ICharBackend terminal, MachineOptions options)
    {
        if (wanted.Count == 0)
            return options with { Console = terminal };
        var ports = new ICharBackend?[wanted.Count];
        for (int i = 0; i < ports.Length; i++)
            ports[i] = wanted[i].IsStdio ? terminal : wanted[i].Open(i + 1);
        return options with
        {
            Console = ports[0],
            SecondConsole = ports.Length > 1 ? ports[1] : options.SecondConsole,
            FurtherConsoles = ports.Length > 2 ? ports[2..] : [],
        };
    }
}
