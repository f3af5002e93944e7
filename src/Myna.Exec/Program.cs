using Myna.Exec;
using Myna.Linux;

// The program of native code (docs/user-mode.md): "myna exec" and "myna binfmt" without all that machines need.
RuntimeSettings.OccupyLow();
try
{
    return ProgramStart.IsByKernel ? ExecProgram.RunForKernel() : args switch
    {
        ["exec", .. string[] words] => ExecProgram.Run(words),
        ["binfmt", .. string[] words] => BinfmtCommand.Run(words),
        ["--version"] => Output.Result($"myna {Product.Version}"),
        _ => throw new UserException("this program knows 'exec' and 'binfmt' alone\nsee: myna exec --help", 2),
    };
}
catch (Exception e)
{
    return Output.Fail(e);
}
